// Looking up a PLC's host name for a blocking thread, in a way that can be given up. getaddrinfo can neither be cancelled nor
// bounded: it runs on a thread of its own, which a caller in a hurry leaves behind.
#pragma once

#include <sys/socket.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace batchbridge::modbus {

struct socket_address {
    sockaddr_storage storage{};
    socklen_t size = 0;
};
using socket_addresses = std::vector<socket_address>;
// Blocks; throws std::exception with the reason when there is no answer. May be called after its link has gone.
using resolver_function = std::function<socket_addresses(const std::string& host, std::uint16_t port)>;

socket_addresses system_resolve(const std::string& host, std::uint16_t port);

class name_lookup {
public:
    enum class outcome { found, failed, late, cut };
    struct answer {
        outcome what;
        socket_addresses addresses;   // found
        std::string fault;            // failed
    };

    // Empty: system_resolve.
    explicit name_lookup(resolver_function resolver);
    ~name_lookup();
    name_lookup(const name_lookup&) = delete;
    name_lookup& operator=(const name_lookup&) = delete;

    // An address is answered at once, a name until `until` or until `cut` says true after a wake(). A question that was
    // given up stays open: the next find() for that name takes its answer instead of asking again, so that a dead name
    // server holds one thread per name, and one slower than the caller's patience is not asked in vain for ever.
    answer find(const std::string& host, std::uint16_t port, std::chrono::steady_clock::time_point until, const std::function<bool()>& cut);
    // From any thread: find() asks `cut` again.
    void wake() noexcept;

private:
    struct board;
    std::shared_ptr<board> board_;    // the threads' too
};

}  // namespace batchbridge::modbus
