// One statement with parameters and a row of answer, through our connection and through PQexecParams.
#include "settings.hpp"

#include "pg/connection.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <libpq-fe.h>

#include <memory>
#include <stdexcept>

namespace batchbridge::bench {

namespace {

using clock = std::chrono::steady_clock;
constexpr double most_of_plain = 1.2;
constexpr auto sql = "select $1::bigint + 1 as next, $2::text as name";

class plain_connection {
public:
    // With the settings that ours makes, some of which cost the server time in every statement.
    explicit plain_connection(const std::string& uri) : connection_(connect(uri), &PQfinish)
    {
        if (PQstatus(connection_.get()) != CONNECTION_OK) throw std::runtime_error(std::string("plain libpq: ") + PQerrorMessage(connection_.get()));
    }

    std::int64_t next(std::int64_t n)
    {
        const auto text = std::to_string(n);
        const char* values[] = {text.c_str(), "WH/MO/00014"};
        const std::unique_ptr<PGresult, decltype(&PQclear)> r(PQexecParams(connection_.get(), sql, 2, nullptr, values, nullptr, nullptr, 0), &PQclear);
        if (PQresultStatus(r.get()) != PGRES_TUPLES_OK) throw std::runtime_error(std::string("plain libpq: ") + PQerrorMessage(connection_.get()));
        return std::stoll(PQgetvalue(r.get(), 0, 0));
    }

private:
    static PGconn* connect(const std::string& uri)
    {
        const char* keys[] = {"dbname", "options", "client_encoding", nullptr};
        const char* values[] = {uri.c_str(), "-c statement_timeout=5s -c lock_timeout=3s -c TimeZone=UTC -c DateStyle=ISO -c idle_in_transaction_session_timeout=10s", "UTF8", nullptr};
        return PQconnectdbParams(keys, values, 1);
    }

    std::unique_ptr<PGconn, decltype(&PQfinish)> connection_;
};

boost::asio::awaitable<std::int64_t> our_next(pg::connection& c, std::int64_t n)
{
    pg::statement s(sql);
    s.bind(n).bind("WH/MO/00014");
    const auto r = co_await c.query(s);
    co_return r.at(0, 0).as_int64();
}

boost::asio::awaitable<row> measure(pg::connection& c, plain_connection& plain, std::int64_t warm_up, std::int64_t n)
{
    co_await c.connect(std::chrono::seconds(5));
    std::vector<double> ours, theirs;
    for (std::int64_t i = 0; i < warm_up + n; ++i) {
        // Who goes first changes, as what ran before shows in the time of what runs next.
        const bool plain_first = i % 2 == 1;
        std::int64_t b = 0;
        const auto before = clock::now();
        if (plain_first) b = plain.next(i);
        const auto from = clock::now();
        const auto a = co_await our_next(c, i);
        const auto to = clock::now();
        if (!plain_first) b = plain.next(i);
        const auto after = clock::now();
        if (a != i + 1 || b != i + 1) throw std::runtime_error("the database cannot count");
        if (i < warm_up) continue;
        ours.push_back(microseconds(to - from));
        theirs.push_back(plain_first ? microseconds(from - before) : microseconds(after - to));
    }
    co_return compared("pg_latency", ours, theirs, most_of_plain);
}

}  // namespace

row pg_latency(const settings& s)
{
    boost::asio::io_context ioc(1);
    pg::connection connection(ioc.get_executor(), s.database);
    plain_connection plain(s.database);
    auto result = boost::asio::co_spawn(ioc, measure(connection, plain, s.quick ? 20 : 500, s.quick ? 200 : 10000), boost::asio::use_future);
    ioc.run();
    return result.get();
}

}  // namespace batchbridge::bench
