#include "support/plant.hpp"

#include <libpq-fe.h>

#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <fstream>
#include <memory>
#include <spawn.h>
#include <sstream>
#include <stdexcept>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <utility>

namespace bb_test {

program::program(std::string path, std::vector<std::string> arguments, std::map<std::string, std::string> environment, std::string log) : log_(std::move(log))
{
    std::vector<std::string> env;
    for (const auto& [name, value] : environment) env.push_back(name + "=" + value);
    std::vector<char*> argv, envp;
    argv.push_back(path.data());
    for (auto& a : arguments) argv.push_back(a.data());
    argv.push_back(nullptr);
    for (auto& e : env) envp.push_back(e.data());
    envp.push_back(nullptr);
    const auto parent = ::getpid();
    const int out = ::open(log_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (out < 0) throw std::runtime_error("cannot write " + log_);
    pid_ = ::fork();
    if (pid_ == 0) {
        // Nothing of a test outlives it, even if it is killed.
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (::getppid() != parent) ::_exit(1);
        ::dup2(out, 1);
        ::dup2(out, 2);
        ::execve(path.c_str(), argv.data(), envp.data());
        ::_exit(127);
    }
    ::close(out);
    if (pid_ < 0) throw std::runtime_error("cannot start " + path);
}

program::program(program&& other) noexcept : pid_(std::exchange(other.pid_, -1)), status_(other.status_), log_(std::move(other.log_)) {}

program& program::operator=(program&& other) noexcept
{
    std::swap(pid_, other.pid_);
    std::swap(status_, other.status_);
    std::swap(log_, other.log_);
    return *this;
}

program::~program()
{
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
}

bool program::running()
{
    if (pid_ <= 0) return false;
    int status = 0;
    if (::waitpid(pid_, &status, WNOHANG) != pid_) return true;
    status_ = status;
    pid_ = -1;
    return false;
}

void program::signal(int number)
{
    if (pid_ > 0) ::kill(pid_, number);
}

int program::wait(std::chrono::milliseconds limit)
{
    wait_until("the end of a program, its output: " + output().substr(0, 4000), limit, [this] { return !running(); });
    return WIFSIGNALED(status_) ? 128 + WTERMSIG(status_) : WEXITSTATUS(status_);
}

std::string program::output() const
{
    std::ifstream in(log_);
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
}

sql_session::sql_session(const std::string& uri) : connection_(PQconnectdb(uri.c_str()))
{
    auto* c = static_cast<PGconn*>(connection_);
    if (PQstatus(c) == CONNECTION_OK) return;
    const std::string why = PQerrorMessage(c);
    PQfinish(c);
    throw std::runtime_error(why);
}

sql_session::~sql_session()
{
    PQfinish(static_cast<PGconn*>(connection_));
}

void sql_session::run(const std::string& statement)
{
    rows(statement);
}

sql_rows sql_session::rows(const std::string& statement)
{
    const std::unique_ptr<PGresult, decltype(&PQclear)> r(PQexec(static_cast<PGconn*>(connection_), statement.c_str()), &PQclear);
    const auto status = PQresultStatus(r.get());
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) throw std::runtime_error(statement + ": " + PQresultErrorMessage(r.get()));
    sql_rows out;
    for (int i = 0; i < PQntuples(r.get()); ++i) {
        auto& row = out.emplace_back();
        for (int k = 0; k < PQnfields(r.get()); ++k) row.push_back(PQgetisnull(r.get(), i, k) != 0 ? std::nullopt : std::optional<std::string>(PQgetvalue(r.get(), i, k)));
    }
    return out;
}

void wait_until(const std::string& what, std::chrono::milliseconds limit, const std::function<bool()>& condition)
{
    const auto end = std::chrono::steady_clock::now() + limit;
    while (!condition()) {
        if (std::chrono::steady_clock::now() > end) throw std::runtime_error("waited " + std::to_string(limit.count()) + " ms in vain for " + what);
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
}

}  // namespace bb_test
