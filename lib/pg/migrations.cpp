#include "pg/migrations.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <map>
#include <sstream>

namespace batchbridge::pg {

namespace asio = boost::asio;
namespace fs = std::filesystem;

namespace {

// Any number: it only has to be ours and always the same.
constexpr auto lock_statement = "select pg_advisory_lock(1651663211, 1)";
constexpr auto unlock_statement = "select pg_advisory_unlock(1651663211, 1)";

constexpr auto patience = std::chrono::minutes(10);

struct file {
    int number;
    std::string name, sql, checksum;
};

std::string sha256(const std::string& text)
{
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha256(), nullptr);
    std::string out;
    for (unsigned i = 0; i < size; ++i) out += fmt::format("{:02x}", digest[i]);
    return out;
}

std::vector<file> read_files(const fs::path& directory)
{
    std::vector<file> out;
    std::error_code ec;
    fs::directory_iterator entries(directory, ec);
    if (ec) throw migration_error(core::error_kind::rejected, "read migrations", directory.string(), ec.message() + "; is the data directory installed?");
    for (const auto& entry : entries) {
        const auto name = entry.path().filename().string();
        if (entry.path().extension() != ".sql") continue;
        const bool good = name.size() > 5 && std::all_of(name.begin(), name.begin() + 4, [](char c) { return c >= '0' && c <= '9'; }) && name[4] == '_';
        if (!good) throw migration_error(core::error_kind::rejected, "read migrations", directory.string(), "'" + name + "' is not named NNNN_name.sql");
        std::ifstream in(entry.path(), std::ios::binary);
        std::ostringstream text;
        text << in.rdbuf();
        out.push_back({std::stoi(name.substr(0, 4)), name, text.str(), sha256(text.str())});
    }
    std::sort(out.begin(), out.end(), [](const file& a, const file& b) { return a.number < b.number; });
    for (std::size_t i = 1; i < out.size(); ++i)
        if (out[i].number == out[i - 1].number)
            throw migration_error(core::error_kind::rejected, "read migrations", directory.string(), fmt::format("number {:04} is there twice", out[i].number));
    return out;
}

asio::awaitable<migration_result> apply(connection& c, const std::vector<file>& files)
{
    migration_result out;
    out.known_version = files.empty() ? 0 : files.back().number;
    co_await c.query("create table if not exists schema_migration (number int primary key, name text not null, checksum text not null, applied_at timestamptz not null default now())");
    const auto rows = co_await c.query("select number, name, checksum from schema_migration order by number");
    std::map<int, std::string> applied;
    for (std::size_t i = 0; i < rows.rows(); ++i) {
        applied[rows.at(i, 0).as_int()] = rows.at(i, 2).text();
        out.database_version = rows.at(i, 0).as_int();
    }
    if (out.database_version > out.known_version) {
        out.newer_schema = true;
        co_return out;
    }
    for (const auto& f : files) {
        const auto known = applied.find(f.number);
        if (known != applied.end()) {
            if (known->second != f.checksum)
                throw migration_error(core::error_kind::rejected, "migrate", c.target(),
                                      fmt::format("{} was changed after it was applied; put the original back and add a new file instead", f.name));
            continue;
        }
        // One simple-protocol string is one implicit transaction; a migration and its record stand or fall together.
        auto text = fmt::format("begin;\n{}\n;insert into schema_migration (number, name, checksum) values ({}, '{}', '{}');\ncommit;", f.sql, f.number, f.name, f.checksum);
        std::exception_ptr failure;
        try {
            co_await c.script(std::move(text), patience);
        } catch (...) {
            failure = std::current_exception();
        }
        if (failure) {
            c.close();   // the open transaction and the lock go with it
            std::rethrow_exception(failure);
        }
        out.applied.push_back(f.name);
        out.database_version = f.number;
    }
    co_return out;
}

}  // namespace

asio::awaitable<migration_result> migrate(pool& p, fs::path directory)
{
    const auto files = read_files(directory);
    auto c = co_await p.acquire();
    // Another process may be migrating, and a migration may take its time.
    co_await c->query("set lock_timeout = 0");
    co_await c->query("set statement_timeout = 0");
    std::exception_ptr failure;
    migration_result out;
    try {
        co_await c->query(lock_statement, patience);
        out = co_await apply(*c, files);
        co_await c->query(unlock_statement);
    } catch (...) {
        failure = std::current_exception();
    }
    if (failure) {
        c->close();
        std::rethrow_exception(failure);
    }
    co_await c->query("set statement_timeout = '5s'");
    co_await c->query("set lock_timeout = '3s'");
    co_return out;
}

}  // namespace batchbridge::pg
