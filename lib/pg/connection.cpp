#include "pg/connection.hpp"

#include "core/deadline.hpp"
#include "core/utf8.hpp"
#include "pg/resolve.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <date/date.h>

#include <fmt/format.h>
#include <libpq-fe.h>
#include <poll.h>

#include <charconv>
#include <map>
#include <sstream>

namespace batchbridge::pg {

namespace asio = boost::asio;
using descriptor = asio::posix::stream_descriptor;

namespace {

std::string trimmed(const char* text)
{
    std::string out = text == nullptr ? "" : text;
    while (!out.empty() && (out.back() == '\n' || out.back() == ' ')) out.pop_back();
    for (auto& c : out)
        if (c == '\n') c = ' ';
    return out;
}

constexpr auto pooler_text = "there is a connection pooler between us and PostgreSQL, which breaks advisory locks and session settings; give the address of PostgreSQL itself";

struct parsed_uri {
    std::map<std::string, std::string> options;   // what the URI says, by libpq's keyword
    std::string fault;                            // why libpq cannot read it, without anything quoted from it
};

parsed_uri parse(const std::string& uri)
{
    parsed_uri out;
    char* message = nullptr;
    const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> list(PQconninfoParse(uri.c_str(), &message), &PQconninfoFree);
    if (list) {
        for (auto* o = list.get(); o->keyword != nullptr; ++o)
            if (o->val != nullptr) out.options[o->keyword] = o->val;
        return out;
    }
    // libpq quotes the whole URI in some of these, password included.
    bool quoted = false;
    for (const char c : trimmed(message)) {
        if (c == '"') quoted = !quoted;
        if (!quoted || c == '"') out.fault += c;
    }
    if (message != nullptr) PQfreemem(message);
    if (out.fault.empty()) out.fault = "it cannot be read";
    return out;
}

std::vector<std::string> split(const std::string& list)
{
    std::vector<std::string> out(1);
    for (const char c : list) {
        if (c == ',') out.emplace_back();
        else out.back() += c;
    }
    return out;
}

std::string quoted(const std::string& value)
{
    std::string out = "'";
    for (const char c : value) {
        if (c == '\'' || c == '\\') out += '\\';
        out += c;
    }
    return out + "'";
}

// The connection string with every host looked up: libpq itself would block the whole loop in getaddrinfo. A name with
// several addresses becomes several hosts; the name stays in `host`, where TLS checks it.
asio::awaitable<std::string> with_addresses(const std::string& uri)
{
    auto options = parse(uri).options;
    if (!options["host"].empty() && options["hostaddr"].empty()) {
        const auto hosts = split(options["host"]);
        auto ports = split(options["port"]);
        if (ports.size() == 1) ports.resize(hosts.size(), ports.front());
        if (ports.size() != hosts.size()) throw error(core::error_kind::rejected, "connect", "postgres", fmt::format("the URI names {} hosts and {} ports", hosts.size(), ports.size()));
        std::vector<std::string> names, addresses, numbers;
        std::string fault;
        for (std::size_t i = 0; i < hosts.size(); ++i) {
            std::vector<std::string> found;
            if (hosts[i].empty() || hosts[i].front() == '/' || hosts[i].front() == '@') found.emplace_back();
            else {
                try {
                    found = co_await addresses_of(hosts[i]);
                } catch (const boost::system::system_error&) {
                    throw;   // cancelled
                } catch (const std::runtime_error& e) {
                    fault = e.what();
                }
            }
            for (auto& a : found) {
                names.push_back(hosts[i]);
                addresses.push_back(std::move(a));
                numbers.push_back(ports[i]);
            }
        }
        if (names.empty()) throw error(core::error_kind::unavailable, "resolve " + options["host"], "postgres", fault);
        options["host"] = fmt::format("{}", fmt::join(names, ","));
        options["hostaddr"] = fmt::format("{}", fmt::join(addresses, ","));
        options["port"] = fmt::format("{}", fmt::join(numbers, ","));
    }
    // A standby takes no writes, and a lock held there is nobody's: of several hosts the primary is looked for.
    if (options["target_session_attrs"].empty()) options["target_session_attrs"] = "read-write";
    std::string out;
    for (const auto& [keyword, value] : options)
        if (!value.empty()) out += keyword + "=" + quoted(value) + " ";
    co_return out;
}

std::string target_of(const std::string& uri)
{
    const auto options = parse(uri).options;
    const auto get = [&](const char* name, const char* otherwise) {
        const auto found = options.find(name);
        return found == options.end() || found->second.empty() ? std::string(otherwise) : found->second;
    };
    const auto hosts = split(get("host", "localhost")), ports = split(get("port", "5432"));
    std::string out;
    for (std::size_t i = 0; i < hosts.size(); ++i) out += (out.empty() ? "" : ",") + hosts[i] + ":" + (i < ports.size() ? ports[i] : ports.front());
    return "postgres " + out + "/" + get("dbname", "");
}

std::string first_words(const std::string& sql)
{
    std::string out;
    for (const char c : sql) {
        if (out.size() >= 60) break;
        if (c == '\n' || c == ' ') {
            if (!out.empty() && out.back() != ' ') out += ' ';
        } else {
            out += c;
        }
    }
    return out;
}

}  // namespace

statement& statement::bind(core::utc_time value)
{
    return bind(date::format("%F %T+00", value));
}

statement& statement::bind(std::string value)
{
    values_.emplace_back(core::is_clean_utf8(value) ? std::move(value) : core::clean_utf8(value));
    return *this;
}

statement& statement::bind(const boost::json::value& value)
{
    auto text = boost::json::serialize(value);
    // Inside a document NUL is an escape, which jsonb refuses as well. An escaped backslash before it only costs the copy.
    const bool clean = core::is_clean_utf8(text) && text.find("\\u0000") == std::string::npos;
    return bind(clean ? std::move(text) : boost::json::serialize(core::clean_utf8(value)));
}

std::string array_of(const std::vector<std::int64_t>& values)
{
    return fmt::format("{{{}}}", fmt::join(values, ","));
}

std::string array_of(const std::vector<std::string>& values)
{
    std::string out = "{";
    for (const auto& v : values) {
        if (out.size() > 1) out += ',';
        out += '"';
        for (const char c : v) {
            if (c == '"' || c == '\\') out += '\\';
            out += c;
        }
        out += '"';
    }
    return out + "}";
}

std::string_view field::view() const
{
    if (!value_) throw error(core::error_kind::internal, "read column", std::string(name_), "is null");
    return *value_;
}

std::int64_t field::as_int64() const
{
    const auto v = view();
    std::int64_t out = 0;
    const auto [end, ec] = std::from_chars(v.data(), v.data() + v.size(), out);
    if (ec != std::errc() || end != v.data() + v.size()) throw error(core::error_kind::internal, "read column", std::string(name_), "is no whole number: " + std::string(v));
    return out;
}

core::decimal field::as_decimal() const
{
    const auto d = core::decimal::parse(view());
    if (!d) throw error(core::error_kind::internal, "read column", std::string(name_), "is no number: " + std::string(view()));
    return *d;
}

core::utc_time field::as_time() const
{
    std::istringstream in{text()};
    date::sys_time<std::chrono::microseconds> t;
    in >> date::parse("%F %T%z", t);
    if (in.fail()) throw error(core::error_kind::internal, "read column", std::string(name_), "is no time: " + text());
    return t;
}

bool field::as_bool() const
{
    const auto v = view();
    if (v != "t" && v != "f") throw error(core::error_kind::internal, "read column", std::string(name_), "is no boolean: " + std::string(v));
    return v == "t";
}

boost::json::value field::as_json() const
{
    boost::json::error_code ec;
    auto out = boost::json::parse(view(), ec);
    if (ec) throw error(core::error_kind::internal, "read column", std::string(name_), "is no JSON: " + ec.message());
    return out;
}

std::size_t result::rows() const noexcept
{
    return handle_ ? static_cast<std::size_t>(PQntuples(static_cast<PGresult*>(handle_.get()))) : 0;
}

std::int64_t result::affected() const noexcept
{
    if (!handle_) return 0;
    const std::string_view n = PQcmdTuples(static_cast<PGresult*>(handle_.get()));
    std::int64_t out = 0;
    std::from_chars(n.data(), n.data() + n.size(), out);
    return out;
}

field result::at(std::size_t row, std::size_t column) const
{
    auto* r = static_cast<PGresult*>(handle_.get());
    const int i = static_cast<int>(row), k = static_cast<int>(column);
    const auto* name = PQfname(r, k);
    if (PQgetisnull(r, i, k) != 0) return field(std::nullopt, name);
    return field(std::string_view(PQgetvalue(r, i, k), static_cast<std::size_t>(PQgetlength(r, i, k))), name);
}

field result::at(std::size_t row, std::string_view column) const
{
    const int k = PQfnumber(static_cast<PGresult*>(handle_.get()), std::string(column).c_str());
    if (k < 0) throw error(core::error_kind::internal, "read column", std::string(column), "is not in the result");
    return at(row, static_cast<std::size_t>(k));
}

struct connection::impl {
    explicit impl(const asio::any_io_executor& executor) : socket(executor) {}
    ~impl() { close(); }

    PGconn* conn = nullptr;
    descriptor socket;
    std::string target;

    void close() noexcept
    {
        // libpq owns the descriptor.
        if (socket.is_open()) socket.release();
        if (conn != nullptr) PQfinish(conn);
        conn = nullptr;
    }

    [[noreturn]] void lost(const std::string& operation)
    {
        auto why = trimmed(PQerrorMessage(conn));
        close();
        // PgBouncer refuses `options` and what it may set in them by this text.
        if (why.find("unsupported startup parameter") != std::string::npos) throw error(core::error_kind::rejected, operation, target, std::string(pooler_text) + ": " + why);
        if (why.find("session is read-only") != std::string::npos) why += " (a standby, or a PostgreSQL set to read only; DATABASE_URL may name several hosts, the one that takes writes is used)";
        throw error(core::error_kind::unavailable, operation, target, why.empty() ? "connection lost" : why);
    }

    void assign()
    {
        // The socket may change during connecting, even under the same number.
        if (socket.is_open()) socket.release();
        socket.assign(PQsocket(conn));
    }

    asio::awaitable<void> wait(descriptor::wait_type what)
    {
        boost::system::error_code ec;
        co_await socket.async_wait(what, asio::redirect_error(asio::use_awaitable, ec));
        if (ec) throw boost::system::system_error(asio::error::operation_aborted);
    }

    asio::awaitable<void> wait_read_or_write()
    {
        auto [order, read_error, write_error] =
            co_await asio::experimental::make_parallel_group(socket.async_wait(descriptor::wait_read, asio::deferred), socket.async_wait(descriptor::wait_write, asio::deferred))
                .async_wait(asio::experimental::wait_for_one(), asio::use_awaitable);
        if (order[0] == 0 ? read_error : write_error) throw boost::system::system_error(asio::error::operation_aborted);
    }

    asio::awaitable<void> open(const std::string& uri)
    {
        const auto text = co_await with_addresses(uri);
        const char* keys[] = {"dbname", "application_name", "options", "keepalives_idle", "keepalives_interval", "keepalives_count", "client_encoding", nullptr};
        const char* values[] = {text.c_str(), "batchbridge",
                                "-c statement_timeout=5s -c lock_timeout=3s -c TimeZone=UTC -c DateStyle=ISO -c idle_in_transaction_session_timeout=10s "
                                // The server's side of a dead link: it must not keep the locks of a host that is gone.
                                "-c tcp_keepalives_idle=5 -c tcp_keepalives_interval=2 -c tcp_keepalives_count=3 -c tcp_user_timeout=11s -c client_connection_check_interval=2s", "5", "2", "3", "UTF8", nullptr};
        conn = PQconnectStartParams(keys, values, 1);
        if (conn == nullptr || PQstatus(conn) == CONNECTION_BAD) lost("connect");
        // "already exists, skipping": nobody reads it, and stderr is not our log.
        PQsetNoticeProcessor(conn, [](void*, const char*) {}, nullptr);
        auto wanted = PGRES_POLLING_WRITING;
        while (wanted != PGRES_POLLING_OK) {
            assign();
            co_await wait(wanted == PGRES_POLLING_READING ? descriptor::wait_read : descriptor::wait_write);
            wanted = PQconnectPoll(conn);
            if (wanted == PGRES_POLLING_FAILED) lost("connect");
        }
        assign();
        PQsetnonblocking(conn, 1);
        // PostgreSQL tells its clients the process number of their session; a pooler tells its own clients an invented one.
        statement mine("select pg_backend_pid() = $1::int and current_setting('statement_timeout') = '5s'");
        mine.bind(PQbackendPID(conn));
        const auto answer = co_await run_one(mine);
        if (answer.empty() || std::string_view(PQgetvalue(static_cast<PGresult*>(answer.front().get()), 0, 0)) != "t")
            throw error(core::error_kind::rejected, "connect", target, pooler_text);
    }

    asio::awaitable<void> flush(const std::string& operation)
    {
        for (;;) {
            const int rc = PQflush(conn);
            if (rc == 0) co_return;
            if (rc < 0) lost(operation);
            // The server may be blocked writing to us, and then reads nothing either.
            co_await wait_read_or_write();
            if (PQconsumeInput(conn) == 0) lost(operation);
        }
    }

    // The next result, or null at the end of one statement's results.
    asio::awaitable<std::shared_ptr<void>> next(const std::string& operation)
    {
        while (PQisBusy(conn) != 0) {
            co_await wait(descriptor::wait_read);
            if (PQconsumeInput(conn) == 0) lost(operation);
        }
        auto* r = PQgetResult(conn);
        if (r == nullptr) co_return nullptr;
        co_return std::shared_ptr<void>(r, [](void* p) { PQclear(static_cast<PGresult*>(p)); });
    }

    std::optional<error> fault_of(PGresult* r, const std::string& operation)
    {
        const auto status = PQresultStatus(r);
        if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK || status == PGRES_PIPELINE_SYNC || status == PGRES_EMPTY_QUERY) return std::nullopt;
        const char* state = PQresultErrorField(r, PG_DIAG_SQLSTATE);
        const std::string code = state == nullptr ? "" : state;
        const char* primary = PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);
        auto why = primary != nullptr ? trimmed(primary) : trimmed(PQresultErrorMessage(r));
        return error(kind_of(code), operation, target, why.empty() ? "connection lost" : why, code);
    }

    asio::awaitable<std::vector<std::shared_ptr<void>>> all_results(const std::string& operation)
    {
        std::vector<std::shared_ptr<void>> out;
        std::optional<error> fault;
        while (auto r = co_await next(operation)) {
            if (auto f = fault_of(static_cast<PGresult*>(r.get()), operation); f && !fault) fault = std::move(f);
            out.push_back(std::move(r));
        }
        if (PQstatus(conn) == CONNECTION_BAD) lost(operation);
        if (fault) throw error(*fault);
        co_return out;
    }

    asio::awaitable<std::vector<std::shared_ptr<void>>> run_one(const statement& s)
    {
        const auto operation = first_words(s.sql());
        std::vector<const char*> params;
        for (const auto& v : s.values()) params.push_back(v ? v->c_str() : nullptr);
        if (PQsendQueryParams(conn, s.sql().c_str(), static_cast<int>(params.size()), nullptr, params.data(), nullptr, nullptr, 0) == 0) lost(operation);
        co_await flush(operation);
        co_return co_await all_results(operation);
    }

    asio::awaitable<void> run_script(std::string sql)
    {
        const auto operation = first_words(sql);
        if (PQsendQuery(conn, sql.c_str()) == 0) lost(operation);
        co_await flush(operation);
        co_await all_results(operation);
    }

    asio::awaitable<std::vector<std::shared_ptr<void>>> run_pipeline(const std::vector<statement>& statements)
    {
        if (PQenterPipelineMode(conn) == 0) lost("pipeline");
        for (const auto& s : statements) {
            std::vector<const char*> params;
            for (const auto& v : s.values()) params.push_back(v ? v->c_str() : nullptr);
            if (PQsendQueryParams(conn, s.sql().c_str(), static_cast<int>(params.size()), nullptr, params.data(), nullptr, nullptr, 0) == 0) lost(first_words(s.sql()));
        }
        if (PQpipelineSync(conn) == 0) lost("pipeline");
        co_await flush("pipeline");
        std::vector<std::shared_ptr<void>> out;
        std::optional<error> fault;
        for (const auto& s : statements) {
            std::shared_ptr<void> kept;
            while (auto r = co_await next(first_words(s.sql()))) {
                auto* p = static_cast<PGresult*>(r.get());
                if (PQresultStatus(p) != PGRES_PIPELINE_ABORTED && !fault) fault = fault_of(p, first_words(s.sql()));
                kept = std::move(r);
            }
            if (PQstatus(conn) == CONNECTION_BAD) lost(first_words(s.sql()));
            out.push_back(std::move(kept));
        }
        // The commit happens at the sync: a deferred constraint fails here, as a result of no statement.
        bool synced = false;
        for (int ends = 0; !synced;) {
            const auto r = co_await next("commit");
            if (PQstatus(conn) == CONNECTION_BAD || ends > 2) lost("commit");
            if (!r) {
                ++ends;
                continue;
            }
            auto* p = static_cast<PGresult*>(r.get());
            synced = PQresultStatus(p) == PGRES_PIPELINE_SYNC;
            if (!fault) fault = fault_of(p, "commit");
        }
        if (PQexitPipelineMode(conn) == 0) lost("pipeline");
        if (fault) throw error(*fault);
        co_return out;
    }
};

connection::connection(asio::any_io_executor executor, std::string uri)
    : executor_(std::move(executor)), uri_(std::move(uri)), target_(target_of(uri_)), impl_(std::make_unique<impl>(executor_))
{
    impl_->target = target_;
}

connection::~connection() = default;

bool connection::is_open() const noexcept
{
    return impl_->conn != nullptr && PQstatus(impl_->conn) == CONNECTION_OK;
}

bool connection::is_alive() noexcept
{
    if (!is_open()) return false;
    // Between questions a healthy server says nothing. The end of a session is its last words and then the end of the
    // stream: read until one of the two shows.
    for (int i = 0; i < 4; ++i) {
        pollfd p{PQsocket(impl_->conn), POLLIN, 0};
        if (::poll(&p, 1, 0) <= 0) return true;
        if (PQconsumeInput(impl_->conn) == 0 || PQstatus(impl_->conn) != CONNECTION_OK) break;
    }
    impl_->close();
    return false;
}

void connection::close() noexcept
{
    impl_->close();
}

int connection::backend_pid() const noexcept
{
    return impl_->conn != nullptr ? PQbackendPID(impl_->conn) : 0;
}

namespace {

// A deadline or any break closes: what the server still does is not known, and its late answer must not meet a new question.
template <class T>
asio::awaitable<T> guarded(connection& c, core::duration limit, asio::awaitable<T> op, std::string operation)
{
    std::exception_ptr failure;
    try {
        if constexpr (std::is_void_v<T>) {
            co_await core::with_deadline(limit, std::move(op));
            co_return;
        } else {
            co_return co_await core::with_deadline(limit, std::move(op));
        }
    } catch (const core::timed_out&) {
        c.close();
        throw error(core::error_kind::timeout, operation, c.target(), fmt::format("no answer within {}", core::to_string(limit)));
    } catch (const error& e) {
        // An error that PostgreSQL reported leaves the session usable.
        if (e.peer_code().empty() || (e.kind() == core::error_kind::unavailable && !is_conflict(e))) c.close();
        throw;
    } catch (...) {
        c.close();
        throw;
    }
}

}  // namespace

asio::awaitable<void> connection::connect(core::duration limit)
{
    impl_->close();
    if (const auto p = parse(uri_); !p.fault.empty()) throw error(core::error_kind::rejected, "connect", "postgres", "the connection URI is malformed: " + p.fault);
    co_await guarded<void>(*this, limit, impl_->open(uri_), "connect");
}

asio::awaitable<result> connection::query(const statement& s, core::duration limit)
{
    if (!is_open()) throw error(core::error_kind::unavailable, first_words(s.sql()), target_, "not connected");
    auto results = co_await guarded<std::vector<std::shared_ptr<void>>>(*this, limit, impl_->run_one(s), first_words(s.sql()));
    result out;
    if (!results.empty()) out.handle_ = std::move(results.back());
    co_return out;
}

asio::awaitable<result> connection::query(std::string sql, core::duration limit)
{
    const statement s(std::move(sql));
    co_return co_await query(s, limit);
}

asio::awaitable<std::vector<result>> connection::pipeline(const std::vector<statement>& statements)
{
    if (!is_open()) throw error(core::error_kind::unavailable, "pipeline", target_, "not connected");
    auto results = co_await guarded<std::vector<std::shared_ptr<void>>>(*this, operation_limit, impl_->run_pipeline(statements), "pipeline");
    std::vector<result> out;
    for (auto& r : results) {
        result one;
        one.handle_ = std::move(r);
        out.push_back(std::move(one));
    }
    co_return out;
}

asio::awaitable<void> connection::script(std::string sql, core::duration limit)
{
    if (!is_open()) throw error(core::error_kind::unavailable, first_words(sql), target_, "not connected");
    const auto operation = first_words(sql);
    co_await guarded<void>(*this, limit, impl_->run_script(std::move(sql)), operation);
}

}  // namespace batchbridge::pg
