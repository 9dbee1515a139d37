#include "pg/migrations.hpp"
#include "support/catch.hpp"
#include "support/postgres.hpp"
#include "support/run.hpp"

#include <boost/asio/detached.hpp>

#include <filesystem>
#include <fstream>

namespace pg = batchbridge::pg;
namespace core = batchbridge::core;
namespace asio = boost::asio;
namespace fs = std::filesystem;

namespace {

// A directory of migration files, removed with it.
struct files {
    files()
    {
        std::string name = "/tmp/bb-migrations.XXXXXX";
        if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp");
        path = name;
    }
    ~files() { fs::remove_all(path); }
    files(const files&) = delete;
    files& operator=(const files&) = delete;
    void put(const std::string& name, const std::string& text) const { std::ofstream(path / name) << text; }
    fs::path path;
};

pg::migration_result migrate(const std::string& uri, const fs::path& directory)
{
    asio::io_context ioc;
    pg::pool pool(ioc.get_executor(), uri, 1);
    pg::migration_result out;
    bb_test::run(ioc, [&]() -> asio::awaitable<void> { out = co_await pg::migrate(pool, directory); });
    return out;
}

std::string refusal(const std::string& uri, const fs::path& directory)
{
    try {
        migrate(uri, directory);
    } catch (const pg::migration_error& e) {
        return e.what();
    }
    return "";
}

}  // namespace

TEST_CASE("migrations are applied in order, once, and remembered")
{
    const auto uri = bb_test::shared_postgres().create_database();
    const files f;
    f.put("0002_second.sql", "alter table a add column word text default 'it''s; fine';\ncreate index on a (word);");
    f.put("0001_first.sql", "create table a (id int);\n-- a comment at the end without a newline");
    f.put("readme.txt", "not a migration");
    const auto first = migrate(uri, f.path);
    const std::vector<std::string> both{"0001_first.sql", "0002_second.sql"};
    CHECK(first.applied == both);
    CHECK(first.database_version == 2);
    CHECK(first.known_version == 2);
    const auto second = migrate(uri, f.path);
    CHECK(second.applied.empty());
    CHECK_FALSE(second.newer_schema);
    f.put("0003_third.sql", "insert into a values (1)");
    const auto third = migrate(uri, f.path);
    const std::vector<std::string> only{"0003_third.sql"};
    CHECK(third.applied == only);
    CHECK(bb_test::sql_value(uri, "select word from a") == "it's; fine");
    CHECK(bb_test::sql_value(uri, "select count(*) from schema_migration where length(checksum) = 64") == "3");
}

TEST_CASE("a file that was changed after it was applied is refused, and nothing else is applied")
{
    const auto uri = bb_test::shared_postgres().create_database();
    const files f;
    f.put("0001_first.sql", "create table a (id int);");
    migrate(uri, f.path);
    f.put("0001_first.sql", "create table a (id bigint);");
    f.put("0002_second.sql", "create table b (id int);");
    CHECK_THAT(refusal(uri, f.path), Catch::Contains("0001_first.sql") && Catch::Contains("changed"));
    CHECK(bb_test::sql_value(uri, "select count(*) from pg_tables where tablename = 'b'") == "0");
}

TEST_CASE("a database that is newer than we are is left alone and named")
{
    const auto uri = bb_test::shared_postgres().create_database();
    const files f;
    f.put("0001_first.sql", "create table a (id int);");
    f.put("0002_second.sql", "create table b (id int);");
    migrate(uri, f.path);
    fs::remove(f.path / "0002_second.sql");
    const auto r = migrate(uri, f.path);
    CHECK(r.newer_schema);
    CHECK(r.database_version == 2);
    CHECK(r.known_version == 1);
    CHECK(r.applied.empty());
}

TEST_CASE("a migration that fails is undone as a whole, the ones before it stay")
{
    const auto uri = bb_test::shared_postgres().create_database();
    const files f;
    f.put("0001_first.sql", "create table a (id int);");
    f.put("0002_second.sql", "create table b (id int);\nselect 1 / 0;");
    CHECK_THROWS_AS(migrate(uri, f.path), pg::error);
    CHECK(bb_test::sql_value(uri, "select count(*) from pg_tables where tablename = 'a'") == "1");
    CHECK(bb_test::sql_value(uri, "select count(*) from pg_tables where tablename = 'b'") == "0");
    f.put("0002_second.sql", "create table b (id int);");
    const auto r = migrate(uri, f.path);
    CHECK(r.applied.size() == 1);
}

TEST_CASE("misnamed and doubled files are refused by name")
{
    const auto uri = bb_test::shared_postgres().create_database();
    const files misnamed;
    misnamed.put("1_first.sql", "");
    CHECK_THAT(refusal(uri, misnamed.path), Catch::Contains("1_first.sql") && Catch::Contains("NNNN_name.sql"));
    const files doubled;
    doubled.put("0001_first.sql", "");
    doubled.put("0001_other.sql", "");
    CHECK_THAT(refusal(uri, doubled.path), Catch::Contains("0001") && Catch::Contains("twice"));
    CHECK_THAT(refusal(uri, doubled.path / "nowhere"), Catch::Contains("nowhere"));
}

TEST_CASE("two processes that migrate at once: each file is applied exactly once")
{
    const auto uri = bb_test::shared_postgres().create_database();
    const files f;
    f.put("0001_first.sql", "create table a (id int); select pg_sleep(0.1);");
    f.put("0002_second.sql", "insert into a values (1);");
    asio::io_context ioc;
    pg::pool one(ioc.get_executor(), uri, 1), two(ioc.get_executor(), uri, 1);
    std::size_t applied = 0;
    std::string failures;
    const auto body = [&](pg::pool& p) -> asio::awaitable<void> {
        try {
            const auto r = co_await pg::migrate(p, f.path);
            applied += r.applied.size();
            CHECK(r.database_version == 2);
        } catch (const std::exception& e) {
            failures += e.what();
        }
    };
    asio::co_spawn(ioc, body(one), asio::detached);
    asio::co_spawn(ioc, body(two), asio::detached);
    ioc.run();
    CHECK(failures.empty());
    CHECK(applied == 2);
    CHECK(bb_test::sql_value(uri, "select count(*) from a") == "1");
}
