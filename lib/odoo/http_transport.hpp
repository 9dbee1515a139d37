// What all protocols over HTTP have in common: detection before login before calls, one login for all, a secret that is read
// again after a refusal, and what a failure means.
#pragma once

#include "core/event.hpp"
#include "http/client.hpp"
#include "odoo/answer.hpp"
#include "odoo/error_table.hpp"
#include "odoo/transport.hpp"
#include "odoo/transport_options.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/json/object.hpp>

#include <optional>
#include <string>

namespace batchbridge::odoo {

// "18.0+e-20241005" is 18; "saas~18.3+e" and "20.0" are not verified.
bool is_verified(const std::string& version);

// Owner's thread only; any number of calls at a time. The login is shared, and renewed once when Odoo refuses it.
class http_transport : public transport {
public:
    // Throws what http::client throws for a bad address or CA file.
    http_transport(protocol speaks, boost::asio::any_io_executor executor, transport_options options);

    time_point limit_for(purpose why) const override;
    boost::asio::awaitable<server_info> open(time_point limit) override;
    boost::asio::awaitable<boost::json::value> ask(call c, time_point limit) override;
    int uid() const override { return session_ ? session_->uid : 0; }
    std::string version() const override { return seen_version_; }
    std::optional<core::duration> clock_ahead() const override { return clock_ahead_; }
    const std::string& target() const override { return target_; }
    std::string who() const override;
    const std::string& database() const override { return options_.db; }
    std::string clean(std::string text) const override;

    // The version has to be asked (again): never asked, too long ago, or a call failed in a way a changed server would cause.
    bool stale() const;
    // Somebody else asked.
    void assume(server_info info);

    // GET /json/version, which 19 has and 18 has not: nullopt then. No login.
    boost::asio::awaitable<std::optional<server_info>> ask_json_version(time_point limit);
    // POST /jsonrpc common.version: 17, 18 and 19 have it. No login.
    boost::asio::awaitable<server_info> ask_common_version(time_point limit);
    // A failure of version or login, as the call sees it that needed them: not a byte of that call was sent. Only a clear no
    // keeps its class, so that it waits for a person and never parks.
    static error opening(const error& e);
    error nonsense(const std::string& operation, const std::string& reason) const;

protected:
    struct session {
        int uid = 0;
        std::string secret;    // with which it was made
        std::string cookie;
        unsigned generation = 0;
    };

    virtual boost::asio::awaitable<server_info> detect(time_point limit) = 0;
    // Thrown by login() when it is the secret that was refused: remembered for a while.
    struct refused_secret {
        error what;
    };
    // The new session; its secret and generation are filled in afterwards.
    virtual boost::asio::awaitable<session> login(const std::string& secret, time_point limit) = 0;
    // One request. A value or a fault; everything else throws.
    virtual boost::asio::awaitable<answer> send(const call& c, const session& s, time_point limit) = 0;
    // Whether what follows may be a write to this server.
    virtual bool may_write(const server_info& info) const;

    boost::asio::awaitable<session> ready(time_point limit);
    // One HTTP exchange, its failures as odoo::error.
    boost::asio::awaitable<http::response> exchange(http::request request, const std::string& operation, purpose why, time_point limit);
    // The server gave the session another cookie (rotation). Does nothing when that session is no longer the one in use.
    void renew_cookie(unsigned generation, std::string cookie);
    // A JSON-RPC envelope around `params`. The answer is Odoo's own (a value or a fault); everything else throws.
    // `need_envelope` false: a bare value will do (L-45).
    boost::asio::awaitable<answer> post_envelope(const std::string& path, const std::string& operation, purpose why, boost::json::object params,
                                                 std::vector<std::pair<std::string, std::string>> headers, time_point limit, http::response* raw = nullptr,
                                                 bool need_envelope = true);
    // Calls `once` with a session; again with a new one when it was refused: that is said before any method runs, so nothing
    // happened (L-44).
    boost::asio::awaitable<boost::json::value> with_session(const std::string& operation, purpose why,
                                                            std::function<boost::asio::awaitable<answer>(const session&)> once, time_point limit);

    error from_fault(const answer& a, const std::string& operation) const;
    error from_foreign(const answer& a, unsigned status, const std::string& operation, purpose why);
    error refused_login(const std::string& operation, bool key) const;
    error lost_again(const std::string& operation) const;
    const transport_options& options() const { return options_; }

private:
    struct refusal {
        error what;
        std::string secret;
        time_point until;
    };
    error from_http(const http::error& e, const std::string& operation) const;
    boost::asio::awaitable<void> log_in(time_point limit);
    void note_clock(const http::response& r);

    const protocol speaks_;
    const transport_options options_;
    http::client calls_, opening_;
    std::string target_;
    core::async_mutex login_lock_;
    std::optional<server_info> info_;
    time_point detected_{};
    std::optional<session> session_;
    std::optional<refusal> refused_;
    std::string tried_secret_;   // the newest, also when it was refused
    unsigned generation_ = 0;
    std::int64_t next_id_ = 0;
    std::string seen_version_;
    std::optional<core::duration> clock_ahead_;
};

}  // namespace batchbridge::odoo
