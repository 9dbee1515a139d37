// Programs that the bench starts, and one way to ask them over HTTP.
#pragma once

#include <boost/json/value.hpp>
#include <boost/process/child.hpp>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace batchbridge::bench {

// A directory under TMPDIR that goes with the object.
class work_directory {
public:
    work_directory();
    ~work_directory();
    work_directory(const work_directory&) = delete;
    work_directory& operator=(const work_directory&) = delete;
    const std::filesystem::path& path() const noexcept { return path_; }

private:
    std::filesystem::path path_;
};

// Runs until it is stopped; dies with this process whatever happens. Its output goes to `log`.
class child {
public:
    // The environment holds nothing but PATH and `environment`.
    child(const std::filesystem::path& program, const std::vector<std::string>& arguments, const std::map<std::string, std::string>& environment, std::filesystem::path log);
    ~child();
    child(const child&) = delete;
    child& operator=(const child&) = delete;

    int id() const { return process_.id(); }
    bool running() { return process_.running(); }
    // SIGTERM and wait; throws if it did not end with 0 within ten seconds.
    void stop();
    // SIGKILL and wait.
    void kill();
    // Everything it has said so far.
    std::string output() const;

private:
    std::filesystem::path log_;
    boost::process::child process_;
};

// plc-sim or odoo-sim, with the ports that it printed.
class simulator {
public:
    simulator(const std::filesystem::path& program, const std::vector<std::string>& arguments, const std::filesystem::path& log);
    std::uint16_t port() const noexcept { return port_; }
    boost::json::value get(const std::string& target) const;
    void post(const std::string& target, const std::string& body) const;

private:
    child child_;
    std::uint16_t port_ = 0, control_ = 0;
};

struct answer {
    unsigned status = 0;       // 0: nobody answered
    std::string body;
};
answer ask(std::uint16_t port, const std::string& method, const std::string& target, const std::string& body = {});

// Asks every millisecond until `done`; throws std::runtime_error that names `what` after `limit`.
void await(const std::string& what, std::chrono::steady_clock::duration limit, const std::function<bool()>& done);

// A port of 127.0.0.1 on which nobody listens at the moment.
std::uint16_t free_port();

}  // namespace batchbridge::bench
