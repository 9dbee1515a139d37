// One PostgreSQL connection for coroutines, on libpq's non-blocking interface (libpq manual, 34.4 and 34.5).
#pragma once

#include "core/decimal.hpp"
#include "core/time.hpp"
#include "pg/error.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/json/value.hpp>

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace batchbridge::pg {

// A statement with text parameters. What is no UTF-8, and NUL, is bound as question marks (core::clean_utf8): PostgreSQL
// refuses it, and one text of a peer must not keep a whole transaction from being committed. Built by the caller as a named variable (never inside a co_await expression).
//     pg::statement s("update mo_batch set state = $2 where id = $1");
//     s.bind(id).bind("lost");
//     const auto r = co_await connection.query(s);
class statement {
public:
    explicit statement(std::string sql) : sql_(std::move(sql)) {}
    statement& bind(std::string value);
    statement& bind(std::string_view value) { return bind(std::string(value)); }
    statement& bind(const char* value) { return bind(std::string(value)); }
    statement& bind(std::int64_t value) { return bind(std::to_string(value)); }
    statement& bind(int value) { return bind(std::to_string(value)); }
    statement& bind(bool value) { return bind(std::string(value ? "t" : "f")); }
    statement& bind(const core::decimal& value) { return bind(value.to_string()); }
    statement& bind(core::utc_time value);
    statement& bind(const boost::json::value& value);
    statement& bind_null()
    {
        values_.emplace_back(std::nullopt);
        return *this;
    }

    const std::string& sql() const noexcept { return sql_; }
    const std::vector<std::optional<std::string>>& values() const noexcept { return values_; }

private:
    std::string sql_;
    std::vector<std::optional<std::string>> values_;
};

// "{a,b}" literals of PostgreSQL.
std::string array_of(const std::vector<std::int64_t>& values);
std::string array_of(const std::vector<std::string>& values);

// One field of a row; throws pg::error (internal) when it is null or not of the wanted form.
class field {
public:
    field(std::optional<std::string_view> value, std::string_view name) : value_(value), name_(name) {}
    bool is_null() const noexcept { return !value_; }
    std::string text() const { return std::string(view()); }
    std::int64_t as_int64() const;
    int as_int() const { return static_cast<int>(as_int64()); }
    bool as_bool() const;
    core::decimal as_decimal() const;
    // timestamptz as PostgreSQL prints it with TimeZone UTC and DateStyle ISO (set at connect).
    core::utc_time as_time() const;
    boost::json::value as_json() const;

private:
    std::string_view view() const;
    std::optional<std::string_view> value_;
    std::string_view name_;
};

class result {
public:
    std::size_t rows() const noexcept;
    std::int64_t affected() const noexcept;
    bool empty() const noexcept { return rows() == 0; }
    field at(std::size_t row, std::size_t column) const;
    field at(std::size_t row, std::string_view column) const;

private:
    friend class connection;
    std::shared_ptr<void> handle_;     // PGresult
};

class connection {
public:
    connection(boost::asio::any_io_executor executor, std::string uri);
    ~connection();
    connection(const connection&) = delete;
    connection& operator=(const connection&) = delete;

    // At most `limit`, name look-up included. Sets statement_timeout 5 s, lock_timeout 3 s, UTC, ISO dates,
    // application_name and keepalives. A URI that names several hosts is tried in order (target_session_attrs holds).
    // Refuses a connection pooler between us and PostgreSQL (kind rejected): one that hands the server's sessions to
    // many clients breaks advisory locks and session settings. It shows by the process number of the session, which a
    // pooler makes up for its clients, or by refusing our start-up settings.
    boost::asio::awaitable<void> connect(core::duration limit);
    bool is_open() const noexcept;
    // As is_open(), and PostgreSQL has not ended the session while nobody was asking; no round trip. Closes it if it has.
    bool is_alive() noexcept;
    void close() noexcept;
    // The process number of the session in PostgreSQL; 0 when there is none.
    int backend_pid() const noexcept;

    // One statement, one round trip. After a deadline or a broken link the connection is closed; after an error that
    // PostgreSQL reported it stays usable. Cancellation closes it as well and throws operation_aborted.
    boost::asio::awaitable<result> query(const statement& s, core::duration limit = operation_limit);
    boost::asio::awaitable<result> query(std::string sql, core::duration limit = operation_limit);
    // Several statements as one implicit transaction in one round trip (pipeline mode): all or nothing. The first error
    // is thrown, and names its statement. A link that breaks in it leaves the outcome unknown (kind unavailable/timeout).
    boost::asio::awaitable<std::vector<result>> pipeline(const std::vector<statement>& statements);
    // A script of several statements without parameters, in one implicit transaction.
    boost::asio::awaitable<void> script(std::string sql, core::duration limit = operation_limit);

    // "postgres host:port/database", several hosts with commas; never a user or a password.
    const std::string& target() const noexcept { return target_; }
    // Above statement_timeout, so that a slow statement is ended, and named, by PostgreSQL itself.
    static constexpr core::duration operation_limit = std::chrono::seconds(8);

private:
    struct impl;
    boost::asio::any_io_executor executor_;
    std::string uri_, target_;
    std::unique_ptr<impl> impl_;
};

}  // namespace batchbridge::pg
