// Stands between a client and PostgreSQL: passes bytes on, and can lie about the session or fall silent.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <memory>
#include <string>

namespace bb_test {

class pg_proxy {
public:
    // Connects to 127.0.0.1:`server_port`.
    pg_proxy(boost::asio::io_context& ioc, int server_port);
    ~pg_proxy();
    std::string uri(const std::string& database) const;
    // From now on new sessions are told an invented process number, as a connection pooler does.
    void invent_process_numbers();
    // Nothing is passed on any more, connections stay open; new ones are accepted and never answered.
    void fall_silent();

private:
    struct impl;
    std::shared_ptr<impl> impl_;
};

}  // namespace bb_test
