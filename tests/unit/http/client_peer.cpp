#include "client_peer.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>

#include <unistd.h>

namespace peer {

namespace http = batchbridge::http;

namespace {

asio::awaitable<void> serve(tcp::socket socket, std::shared_ptr<listener::script> script)
{
    co_await (*script)(socket);
}

asio::awaitable<void> accept(tcp::acceptor acceptor, std::shared_ptr<listener::script> script, std::shared_ptr<int> accepted)
{
    for (;;) {
        auto socket = co_await acceptor.async_accept(asio::use_awaitable);
        ++*accepted;
        asio::co_spawn(acceptor.get_executor(), serve(std::move(socket), script), asio::detached);
    }
}

template <class Stream>
asio::awaitable<std::string> read_one(Stream& stream)
{
    std::string text;
    std::size_t head = 0;
    head = co_await asio::async_read_until(stream, asio::dynamic_buffer(text), "\r\n\r\n", asio::use_awaitable);
    const auto at = text.find("Content-Length: ");
    const std::size_t body = at == std::string::npos || at > head ? 0 : std::stoul(text.substr(at + 16));
    if (text.size() < head + body)
        co_await asio::async_read(stream, asio::dynamic_buffer(text), asio::transfer_exactly(head + body - text.size()), asio::use_awaitable);
    co_return text;
}

}  // namespace

listener::listener(asio::io_context& ioc, script s)
{
    tcp::acceptor acceptor(ioc, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
    port_ = acceptor.local_endpoint().port();
    asio::co_spawn(ioc, accept(std::move(acceptor), std::make_shared<script>(std::move(s)), accepted_), asio::detached);
}

asio::awaitable<std::string> read_request(tcp::socket& socket)
{
    co_return co_await read_one(socket);
}

asio::awaitable<std::string> read_request(asio::ssl::stream<tcp::socket&>& stream)
{
    co_return co_await read_one(stream);
}

asio::awaitable<void> write(tcp::socket& socket, std::string text)
{
    co_await asio::async_write(socket, asio::buffer(text), asio::use_awaitable);
}

asio::awaitable<void> write(asio::ssl::stream<tcp::socket&>& stream, std::string text)
{
    co_await asio::async_write(stream, asio::buffer(text), asio::use_awaitable);
}

asio::awaitable<void> hang(tcp::socket& socket)
{
    boost::system::error_code ec;
    char sink[256];
    while (!ec) co_await socket.async_read_some(asio::buffer(sink), asio::redirect_error(asio::use_awaitable, ec));
}

std::string ok_answer(const std::string& body)
{
    return "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

outcome send(asio::io_context& ioc, http::client& client, const http::request& r)
{
    outcome out;
    std::exception_ptr other;
    bool ended = false;
    const auto started = std::chrono::steady_clock::now();
    asio::co_spawn(ioc, client.send(r), [&](std::exception_ptr e, http::response answer) {
        out.took = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - started);
        ended = true;
        ioc.stop();
        if (!e) {
            out.answer = std::move(answer);
            return;
        }
        try {
            std::rethrow_exception(e);
        } catch (const http::error& failure) {
            out.failure = failure;
        } catch (...) {
            other = std::current_exception();
        }
    });
    ioc.restart();
    ioc.run_for(10s);
    if (other) std::rethrow_exception(other);
    if (!ended) throw std::runtime_error("the request did not end within 10 s");
    return out;
}

struct authority::keys {
    EVP_PKEY* key = EVP_EC_gen("P-256");
    X509* certificate = nullptr;
    ~keys()
    {
        X509_free(certificate);
        EVP_PKEY_free(key);
    }
};

namespace {

X509* make_certificate(EVP_PKEY* key, const std::string& common_name, const std::string& alternative_name, X509* issuer, EVP_PKEY* issuer_key,
                       bool is_ca, long valid_from = -3600, long valid_to = 3600)
{
    static long serial = 1;
    X509* c = X509_new();
    X509_set_version(c, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(c), serial++);
    X509_gmtime_adj(X509_getm_notBefore(c), valid_from);
    X509_gmtime_adj(X509_getm_notAfter(c), valid_to);
    X509_set_pubkey(c, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(c), "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>(common_name.c_str()), -1, -1, 0);
    X509_set_issuer_name(c, X509_get_subject_name(issuer == nullptr ? c : issuer));
    const auto extend = [&](int nid, const std::string& value) {
        X509V3_CTX context;
        X509V3_set_ctx_nodb(&context);
        X509V3_set_ctx(&context, issuer == nullptr ? c : issuer, c, nullptr, nullptr, 0);
        X509_EXTENSION* e = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
        X509_add_ext(c, e, -1);
        X509_EXTENSION_free(e);
    };
    if (is_ca) extend(NID_basic_constraints, "critical,CA:TRUE");
    if (!alternative_name.empty()) extend(NID_subject_alt_name, alternative_name);
    X509_sign(c, issuer_key == nullptr ? key : issuer_key, EVP_sha256());
    return c;
}

template <class Write>
std::string pem(Write write)
{
    BIO* bio = BIO_new(BIO_s_mem());
    write(bio);
    char* data = nullptr;
    const auto size = BIO_get_mem_data(bio, &data);
    std::string out(data, static_cast<std::size_t>(size));
    BIO_free(bio);
    return out;
}

}  // namespace

authority::authority() : keys_(std::make_unique<keys>())
{
    keys_->certificate = make_certificate(keys_->key, "batchbridge test CA", "", nullptr, nullptr, true);
    auto name = (std::filesystem::temp_directory_path() / "batchbridge-ca-XXXXXX").string();
    const int fd = ::mkstemp(name.data());
    if (fd < 0) throw std::runtime_error("no temporary file");
    ::close(fd);
    ca_file_ = name;
    std::ofstream(ca_file_) << pem([this](BIO* b) { PEM_write_bio_X509(b, keys_->certificate); });
}

authority::~authority()
{
    std::error_code ec;
    std::filesystem::remove(ca_file_, ec);
}

namespace {

// Takes both.
asio::ssl::context context_of(X509* c, EVP_PKEY* key, std::string& chain)
{
    chain = pem([c](BIO* b) { PEM_write_bio_X509(b, c); });
    const auto secret = pem([key](BIO* b) { PEM_write_bio_PrivateKey(b, key, nullptr, nullptr, 0, nullptr, nullptr); });
    X509_free(c);
    EVP_PKEY_free(key);
    asio::ssl::context context(asio::ssl::context::tls_server);
    context.use_certificate_chain(asio::buffer(chain));
    context.use_private_key(asio::buffer(secret), asio::ssl::context::pem);
    return context;
}

asio::ssl::context self_signed_context(const std::string& name, std::string& chain)
{
    EVP_PKEY* key = EVP_EC_gen("P-256");
    return context_of(make_certificate(key, name, "DNS:" + name, nullptr, nullptr, false), key, chain);
}

}  // namespace

asio::ssl::context authority::server_for(const std::string& name, bool is_address)
{
    EVP_PKEY* key = EVP_EC_gen("P-256");
    std::string chain;
    return context_of(make_certificate(key, "batchbridge test server", (is_address ? "IP:" : "DNS:") + name, keys_->certificate, keys_->key, false), key, chain);
}

asio::ssl::context authority::expired_server_for(const std::string& name)
{
    EVP_PKEY* key = EVP_EC_gen("P-256");
    std::string chain;
    return context_of(make_certificate(key, "batchbridge test server", "DNS:" + name, keys_->certificate, keys_->key, false, -7200, -3600), key, chain);
}

self_signed::self_signed(const std::string& name) : context(self_signed_context(name, pem))
{
}

}  // namespace peer
