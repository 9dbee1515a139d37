// Sessions by cookie, as /web/session/* and the SCADA module use them (a07 to a15, a22).
#pragma once

#include "http/server.hpp"
#include "sim/odoo/odoo_model.hpp"

#include <chrono>
#include <set>
#include <string>

namespace batchbridge::sim {

class odoo_sessions {
public:
    // Returns the new session's id. Throws odoo_fault: wrong database, AccessDenied; after ten failures the right password is
    // refused too, for 60 s. An API key is no password here.
    std::string open(const odoo_options& o, const boost::json::object& params);
    // Throws SessionExpiredException unless the request's cookie names an open session.
    void check(const odoo_options& o, const std::string& cookie) const;
    void close(const std::string& cookie) { open_.erase(cookie); }
    void expire_all() { open_.clear(); }
    void forgive() { failures_ = 0; }
    std::size_t count() const noexcept { return open_.size(); }

    // The value of session_id in the Cookie header; empty: there is none.
    static std::string cookie_of(const http::server_request& request);
    static std::string set_cookie(const std::string& id);

private:
    std::set<std::string> open_;
    std::uint64_t next_ = 1;
    int failures_ = 0;
    std::chrono::steady_clock::time_point last_failure_{};
};

}  // namespace batchbridge::sim
