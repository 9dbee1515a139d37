#include "pg_proxy.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <vector>

namespace bb_test {

namespace asio = boost::asio;
using tcp = asio::ip::tcp;

struct pg_proxy::impl : std::enable_shared_from_this<pg_proxy::impl> {
    impl(asio::io_context& ioc, int p) : acceptor(ioc, tcp::endpoint(asio::ip::address_v4::loopback(), 0)), server(asio::ip::address_v4::loopback(), static_cast<std::uint16_t>(p)) {}

    tcp::acceptor acceptor;
    tcp::endpoint server;
    bool lie = false, silent = false;

    // BackendKeyData: 'K', length 12, process number, secret (PostgreSQL manual, 55.7). It is in the server's first burst.
    static void invent(std::string& bytes)
    {
        const auto at = bytes.find(std::string("K\0\0\0\x0c", 5));
        if (at != std::string::npos && at + 9 <= bytes.size()) bytes.replace(at + 5, 4, std::string("\0\0\x30\x39", 4));
    }

    static asio::awaitable<void> pump(std::shared_ptr<impl> self, std::shared_ptr<tcp::socket> from, std::shared_ptr<tcp::socket> to, bool from_server)
    {
        std::vector<char> buffer(65536);
        for (;;) {
            boost::system::error_code ec;
            const auto n = co_await from->async_read_some(asio::buffer(buffer), asio::redirect_error(asio::use_awaitable, ec));
            if (ec) break;
            if (self->silent) continue;
            std::string bytes(buffer.data(), n);
            if (from_server && self->lie) invent(bytes);
            co_await asio::async_write(*to, asio::buffer(bytes), asio::redirect_error(asio::use_awaitable, ec));
            if (ec) break;
        }
        boost::system::error_code ignored;
        to->close(ignored);
    }

    static asio::awaitable<void> accept_all(std::shared_ptr<impl> self)
    {
        for (;;) {
            boost::system::error_code ec;
            auto client = std::make_shared<tcp::socket>(self->acceptor.get_executor());
            co_await self->acceptor.async_accept(*client, asio::redirect_error(asio::use_awaitable, ec));
            if (ec) co_return;
            auto server_side = std::make_shared<tcp::socket>(self->acceptor.get_executor());
            co_await server_side->async_connect(self->server, asio::redirect_error(asio::use_awaitable, ec));
            if (ec) continue;
            asio::co_spawn(self->acceptor.get_executor(), pump(self, client, server_side, false), asio::detached);
            asio::co_spawn(self->acceptor.get_executor(), pump(self, server_side, client, true), asio::detached);
        }
    }
};

pg_proxy::pg_proxy(asio::io_context& ioc, int server_port) : impl_(std::make_shared<impl>(ioc, server_port))
{
    asio::co_spawn(ioc, impl::accept_all(impl_), asio::detached);
}

pg_proxy::~pg_proxy()
{
    boost::system::error_code ignored;
    impl_->acceptor.close(ignored);
}

std::string pg_proxy::uri(const std::string& database) const
{
    return "postgresql://test@127.0.0.1:" + std::to_string(impl_->acceptor.local_endpoint().port()) + "/" + database + "?sslmode=disable&gssencmode=disable";
}

void pg_proxy::invent_process_numbers()
{
    impl_->lie = true;
}

void pg_proxy::fall_silent()
{
    impl_->silent = true;
}

}  // namespace bb_test
