#include "child.hpp"

#include "http/client.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/json/parse.hpp>
#include <boost/process/args.hpp>
#include <boost/process/env.hpp>
#include <boost/process/exe.hpp>
#include <boost/process/extend.hpp>
#include <boost/process/io.hpp>

#include <fmt/format.h>

#include <sys/prctl.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <future>
#include <regex>
#include <sstream>
#include <stdexcept>
#include <thread>

namespace batchbridge::bench {

namespace fs = std::filesystem;
namespace bp = boost::process;
using clock = std::chrono::steady_clock;

namespace {

constexpr auto patience = std::chrono::seconds(10);
constexpr auto pause_between_tries = std::chrono::milliseconds(1);

bp::child start(const fs::path& program, const std::vector<std::string>& arguments, const std::map<std::string, std::string>& environment, const fs::path& log)
{
    if (::access(program.c_str(), X_OK) != 0) throw std::runtime_error("there is no program " + program.string());
    bp::environment env;
    const auto* path = std::getenv("PATH");
    env["PATH"] = path == nullptr ? "/usr/bin:/bin" : path;
    for (const auto& [name, value] : environment) env[name] = value;
    return bp::child(bp::exe = program.string(), bp::args = arguments, env, bp::std_in < bp::null, (bp::std_out & bp::std_err) > log.string(),
                     bp::extend::on_exec_setup = [](auto&) { ::prctl(PR_SET_PDEATHSIG, SIGKILL); });
}

}  // namespace

work_directory::work_directory()
{
    std::string name = (fs::temp_directory_path() / "batchbridge-bench.XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("cannot make a directory like " + name);
    path_ = name;
}

work_directory::~work_directory()
{
    std::error_code ignored;
    fs::remove_all(path_, ignored);
}

child::child(const fs::path& program, const std::vector<std::string>& arguments, const std::map<std::string, std::string>& environment, fs::path log)
    : log_(std::move(log)), process_(start(program, arguments, environment, log_))
{
}

child::~child()
{
    kill();
}

void child::kill()
{
    std::error_code ignored;
    if (process_.valid() && process_.running(ignored)) process_.terminate(ignored);
}

void child::stop()
{
    ::kill(process_.id(), SIGTERM);
    await("the end of a program after SIGTERM", patience, [this] { return !process_.running(); });
    if (process_.exit_code() != 0) throw std::runtime_error(fmt::format("a program ended with {} after SIGTERM, its log:\n{}", process_.exit_code(), output()));
}

std::string child::output() const
{
    std::ifstream file(log_);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

simulator::simulator(const fs::path& program, const std::vector<std::string>& arguments, const fs::path& log) : child_(program, arguments, {}, log)
{
    std::smatch m;
    std::string said;
    await("the ports of " + program.string(), patience, [&] {
        said = child_.output();
        if (std::regex_search(said, m, std::regex(R"((?:modbus|https?) [0-9.]+:(\d+) control [0-9.]+:(\d+)\n)"))) return true;
        if (!child_.running()) throw std::runtime_error(program.string() + " ended: " + child_.output());
        return false;
    });
    port_ = static_cast<std::uint16_t>(std::stoi(m[1]));
    control_ = static_cast<std::uint16_t>(std::stoi(m[2]));
}

boost::json::value simulator::get(const std::string& target) const
{
    const auto a = ask(control_, "GET", target);
    if (a.status != 200) throw std::runtime_error(fmt::format("GET {} of a simulator: {} {}", target, a.status, a.body));
    return boost::json::parse(a.body);
}

void simulator::post(const std::string& target, const std::string& body) const
{
    const auto a = ask(control_, "POST", target, body);
    if (a.status != 200) throw std::runtime_error(fmt::format("POST {} to a simulator: {} {}", target, a.status, a.body));
}

answer ask(std::uint16_t port, const std::string& method, const std::string& target, const std::string& body)
{
    boost::asio::io_context ioc(1);
    http::client client(ioc.get_executor(), http::client_options::plain(fmt::format("http://127.0.0.1:{}", port)));
    http::request request;
    request.method = method;
    request.target = target;
    request.body = body;
    request.content_type = "application/json";
    auto reply = boost::asio::co_spawn(ioc, client.send(request), boost::asio::use_future);
    ioc.run();
    try {
        auto r = reply.get();
        return {r.status, std::move(r.body)};
    } catch (const http::error& e) {
        if (e.kind() == core::error_kind::unavailable) return {};
        throw;
    }
}

void await(const std::string& what, clock::duration limit, const std::function<bool()>& done)
{
    const auto until = clock::now() + limit;
    while (!done()) {
        if (clock::now() > until) throw std::runtime_error("waited in vain for " + what);
        std::this_thread::sleep_for(pause_between_tries);
    }
}

std::uint16_t free_port()
{
    using boost::asio::ip::tcp;
    boost::asio::io_context ioc;
    const tcp::acceptor a(ioc, tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0));
    return a.local_endpoint().port();
}

}  // namespace batchbridge::bench
