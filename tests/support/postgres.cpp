#include "support/postgres.hpp"

#include <libpq-fe.h>

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <pwd.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <stdexcept>
#include <thread>

namespace bb_test {

namespace fs = std::filesystem;

namespace {

[[noreturn]] void fail(const std::string& what)
{
    throw std::runtime_error("test PostgreSQL: " + what);
}

[[noreturn]] void fail_errno(const std::string& what)
{
    fail(what + ": " + std::strerror(errno));
}

// Who runs the server.
struct account {
    uid_t uid = ::getuid();
    gid_t gid = ::getgid();
};

account server_account()
{
    account out;
    if (out.uid != 0) return out;
    for (const char* name : {"postgres", "nobody"})
        if (const auto* p = ::getpwnam(name)) {
            out.uid = p->pw_uid;
            out.gid = p->pw_gid;
            return out;
        }
    fail("running as root, and there is neither a user postgres nor nobody to run the server as");
}

std::string program(const std::string& name)
{
    // Debian keeps the server's programs out of PATH; the newest version wins.
    std::string best;
    int best_version = 0;
    std::error_code ec;
    for (const auto& e : fs::directory_iterator("/usr/lib/postgresql", ec)) {
        const int version = std::atoi(e.path().filename().c_str());
        const auto path = e.path() / "bin" / name;
        if (version > best_version && fs::exists(path)) {
            best_version = version;
            best = path.string();
        }
    }
    if (!best.empty()) return best;
    std::istringstream path(std::getenv("PATH") == nullptr ? "" : std::getenv("PATH"));
    for (std::string dir; std::getline(path, dir, ':');)
        if (::access((dir + "/" + name).c_str(), X_OK) == 0) return dir + "/" + name;
    fail(name + " is not installed (Debian: apt-get install postgresql)");
}

// fork and exec as the server's account, output appended to `log`; the child dies with this process.
pid_t spawn(const std::vector<std::string>& arguments, const std::string& log)
{
    const auto who = server_account();
    std::vector<char*> argv;
    for (const auto& a : arguments) argv.push_back(const_cast<char*>(a.c_str()));
    argv.push_back(nullptr);
    const auto parent = ::getpid();
    const pid_t pid = ::fork();
    if (pid < 0) fail_errno("fork");
    if (pid > 0) return pid;
    ::setsid();
    const int in = ::open("/dev/null", O_RDONLY);
    const int out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
    ::dup2(in, 0);
    ::dup2(out, 1);
    ::dup2(out, 2);
    // A server that kept a test's descriptors would keep its listeners and pipes alive.
    ::close_range(3, ~0U, 0);
    if (::getuid() == 0 && (::setgroups(0, nullptr) != 0 || ::setgid(who.gid) != 0 || ::setuid(who.uid) != 0)) ::_exit(126);
    // After setuid, which clears it. SIGQUIT is PostgreSQL's immediate shutdown.
    ::prctl(PR_SET_PDEATHSIG, SIGQUIT);
    if (::getppid() != parent) ::_exit(125);
    ::setenv("LC_ALL", "C", 1);
    ::setenv("TZ", "UTC", 1);
    ::execv(argv[0], argv.data());
    ::_exit(127);
}

int wait_for(pid_t pid)
{
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

std::string text_of(const std::string& path)
{
    std::ifstream in(path);
    std::ostringstream out;
    out << in.rdbuf();
    return out.str();
}

void give_to_server_account(const fs::path& tree)
{
    if (::getuid() != 0) return;
    const auto who = server_account();
    const auto own = [&](const fs::path& p) {
        if (::lchown(p.c_str(), who.uid, who.gid) != 0) fail_errno("chown " + p.string());
    };
    own(tree);
    for (const auto& e : fs::recursive_directory_iterator(tree)) own(e.path());
}

std::string new_directory()
{
    std::string path = "/tmp/bb-pg.XXXXXX";
    if (::mkdtemp(path.data()) == nullptr) fail_errno("mkdtemp");
    give_to_server_account(path);
    return path;
}

struct locked_file {
    explicit locked_file(const std::string& path) : fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666))
    {
        if (fd < 0 || ::flock(fd, LOCK_EX) != 0) fail_errno("lock " + path);
    }
    ~locked_file() { ::close(fd); }
    int fd;
};

// initdb takes a second and a copy a few milliseconds, so one is made per build tree.
void make_cluster(const std::string& directory)
{
    const auto initdb = program("initdb");
    const auto version = fs::path(initdb).parent_path().parent_path().filename().string();
    const fs::path cached = fs::path(BB_TEST_CACHE) / ("postgres-" + version);
    {
        const locked_file lock(std::string(BB_TEST_CACHE) + "/postgres.lock");
        if (!fs::exists(cached / "PG_VERSION")) {
            const auto fresh = new_directory();
            const auto log = fresh + "/initdb.log", data = fresh + "/data";
            const pid_t pid = spawn({initdb, "-D", data, "-U", "test", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "--wal-segsize=1", "--no-instructions"}, log);
            const int rc = wait_for(pid);
            const auto said = text_of(log);
            if (rc == 0) {
                const auto half = cached.string() + ".part";
                fs::remove_all(half);
                fs::copy(data, half, fs::copy_options::recursive);
                fs::rename(half, cached);
            }
            fs::remove_all(fresh);
            if (rc != 0) fail("initdb failed with " + std::to_string(rc) + ": " + said);
        }
    }
    const fs::path data = fs::path(directory) / "data";
    fs::copy(cached, data, fs::copy_options::recursive);
    fs::permissions(data, fs::perms::owner_all);
    std::ofstream conf(data / "postgresql.auto.conf", std::ios::app);
    conf << "fsync = off\nsynchronous_commit = off\nfull_page_writes = off\nshared_buffers = 16MB\nmax_connections = 60\nautovacuum = off\n"
            "max_wal_size = 64MB\nmin_wal_size = 8MB\nlog_statement = none\nlog_timezone = UTC\ntimezone = UTC\nwal_level = minimal\nmax_wal_senders = 0\n";
    conf.close();
    give_to_server_account(data);
}

int free_port()
{
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in a{};
    a.sin_family = AF_INET;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof a;
    if (::bind(fd, reinterpret_cast<sockaddr*>(&a), size) != 0 || ::getsockname(fd, reinterpret_cast<sockaddr*>(&a), &size) != 0) fail_errno("free port");
    ::close(fd);
    return ntohs(a.sin_port);
}

// A process of its own session that outlives us: when our end of its pipe closes, it ends the server and removes the directory.
int start_watcher(const std::string& directory)
{
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) fail_errno("pipe");
    const pid_t child = ::fork();
    if (child < 0) fail_errno("fork");
    if (child == 0) {
        ::setsid();
        if (::fork() != 0) ::_exit(0);
        ::dup2(ends[0], 0);
        const int null = ::open("/dev/null", O_WRONLY);
        ::dup2(null, 1);
        ::dup2(null, 2);
        ::close_range(3, ~0U, 0);
        const char* script = "trap '' INT TERM HUP; read _; p=$(head -n 1 \"$0/data/postmaster.pid\") && kill -QUIT \"$p\" && "
                             "n=0; while kill -0 \"$p\" && [ $n -lt 100 ]; do sleep 0.05; n=$((n+1)); done; rm -rf \"$0\"";
        ::execl("/bin/sh", "sh", "-c", script, directory.c_str(), static_cast<char*>(nullptr));
        ::_exit(127);
    }
    wait_for(child);
    ::close(ends[0]);
    return ends[1];
}

// Every live process whose parent is `parent`, itself included.
std::vector<pid_t> family_of(pid_t parent)
{
    std::vector<pid_t> out{parent};
    for (const auto& e : fs::directory_iterator("/proc")) {
        const auto name = e.path().filename().string();
        if (name.find_first_not_of("0123456789") != std::string::npos) continue;
        std::ifstream in(e.path() / "stat");
        std::string line;
        std::getline(in, line);
        const auto end = line.rfind(')');
        if (end == std::string::npos) continue;
        std::istringstream rest(line.substr(end + 1));
        char state = 0;
        pid_t ppid = 0;
        rest >> state >> ppid;
        if (ppid == parent) out.push_back(std::stoi(name));
    }
    return out;
}

struct session {
    explicit session(const std::string& uri) : c(PQconnectdb(uri.c_str()))
    {
        if (PQstatus(c) == CONNECTION_OK) return;
        const std::string why = PQerrorMessage(c);
        PQfinish(c);
        fail("connect: " + why);
    }
    ~session() { PQfinish(c); }
    session(const session&) = delete;
    session& operator=(const session&) = delete;
    PGconn* c;
};

}  // namespace

struct postgres::impl {
    std::string directory;
    int port = 0;
    int watcher = -1;
    pid_t pid = -1;
    std::atomic<int> databases{0};

    std::string log_path() const { return directory + "/server.log"; }
    std::string uri(const std::string& database) const
    {
        return "postgresql://test@127.0.0.1:" + std::to_string(port) + "/" + database + "?sslmode=disable&gssencmode=disable";
    }

    bool ready() const
    {
        const auto u = uri("postgres") + "&connect_timeout=2";
        return PQping(u.c_str()) == PQPING_OK;
    }

    // False: it ended before it was ready.
    bool launch()
    {
        const auto binary = program("postgres");
        pid = spawn({binary, "-D", directory + "/data", "-p", std::to_string(port), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=" + directory}, log_path());
        const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(30);
        while (std::chrono::steady_clock::now() < until) {
            int status = 0;
            if (::waitpid(pid, &status, WNOHANG) == pid) {
                pid = -1;
                return false;
            }
            if (ready()) return true;
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
        }
        return false;
    }

    void end(int signal)
    {
        if (pid <= 0) return;
        ::kill(pid, SIGCONT);
        ::kill(pid, signal);
        wait_for(pid);
        pid = -1;
    }
};

postgres::postgres() : impl_(std::make_unique<impl>())
{
    fs::create_directories(BB_TEST_CACHE);
    impl_->directory = new_directory();
    impl_->watcher = start_watcher(impl_->directory);
    make_cluster(impl_->directory);
    // Between asking for a free port and using it somebody else may have taken it.
    for (int i = 0; i < 5; ++i) {
        impl_->port = free_port();
        if (impl_->launch()) return;
        if (impl_->pid > 0) break;
    }
    const auto said = log();
    impl_->end(SIGQUIT);
    ::close(impl_->watcher);
    fail("the server did not start: " + said);
}

postgres::postgres(int primary_port) : impl_(std::make_unique<impl>())
{
    impl_->directory = new_directory();
    impl_->watcher = start_watcher(impl_->directory);
    const auto pid = spawn({program("pg_basebackup"), "-h", "127.0.0.1", "-p", std::to_string(primary_port), "-U", "test", "-D", impl_->directory + "/data", "-R", "-X", "stream", "-c", "fast", "--no-sync"},
                           impl_->log_path());
    if (const int rc = wait_for(pid); rc != 0) {
        const auto said = log();
        ::close(impl_->watcher);
        fail("pg_basebackup failed with " + std::to_string(rc) + ": " + said);
    }
    for (int i = 0; i < 5; ++i) {
        impl_->port = free_port();
        if (impl_->launch()) return;
        if (impl_->pid > 0) break;
    }
    const auto said = log();
    impl_->end(SIGQUIT);
    ::close(impl_->watcher);
    fail("the standby did not start: " + said);
}

postgres::~postgres()
{
    impl_->end(SIGQUIT);
    std::error_code ignored;
    fs::remove_all(impl_->directory, ignored);
    ::close(impl_->watcher);
}

void postgres::stop()
{
    impl_->end(SIGINT);
}

void postgres::start()
{
    if (impl_->pid > 0) return;
    if (!impl_->launch()) fail("the server did not start again: " + log());
}

void postgres::restart()
{
    stop();
    start();
}

void postgres::kill()
{
    if (impl_->pid <= 0) return;
    const auto all = family_of(impl_->pid);
    for (const auto p : all) ::kill(p, SIGKILL);
    wait_for(impl_->pid);
    impl_->pid = -1;
    // A killed server leaves its lock file; the next start checks the process number in it, which may be somebody's by then.
    std::error_code ignored;
    fs::remove(impl_->directory + "/data/postmaster.pid", ignored);
}

void postgres::freeze()
{
    for (const auto p : family_of(impl_->pid)) ::kill(p, SIGSTOP);
}

void postgres::thaw()
{
    for (const auto p : family_of(impl_->pid)) ::kill(p, SIGCONT);
}

void postgres::configure(const std::string& lines)
{
    stop();
    std::ofstream(impl_->directory + "/data/postgresql.auto.conf", std::ios::app) << lines;
    start();
}

void postgres::promote()
{
    sql(uri(), "select pg_promote(true, 60)");
}

void postgres::backup(const std::string& directory)
{
    stop();
    fs::copy(impl_->directory + "/data", directory, fs::copy_options::recursive);
    start();
}

void postgres::restore(const std::string& directory)
{
    stop();
    fs::remove_all(impl_->directory + "/data");
    fs::copy(directory, impl_->directory + "/data", fs::copy_options::recursive);
    fs::permissions(impl_->directory + "/data", fs::perms::owner_all);
    give_to_server_account(impl_->directory + "/data");
    start();
}

std::string postgres::create_database(const std::string& name)
{
    sql(uri(), "create database \"" + name + "\" template template0");
    return uri(name);
}

std::string postgres::create_database()
{
    return create_database("test" + std::to_string(++impl_->databases));
}

std::string postgres::uri(const std::string& database) const
{
    return impl_->uri(database);
}

std::string postgres::socket_uri(const std::string& database) const
{
    return "postgresql://test@/" + database + "?host=" + impl_->directory + "&port=" + std::to_string(impl_->port);
}

int postgres::port() const noexcept
{
    return impl_->port;
}

std::string postgres::directory() const
{
    return impl_->directory;
}

std::string postgres::log() const
{
    return text_of(impl_->log_path());
}

postgres& shared_postgres()
{
    static postgres server;
    return server;
}

sql_rows sql(const std::string& uri, const std::string& statement)
{
    const session s(uri);
    const std::unique_ptr<PGresult, decltype(&PQclear)> r(PQexec(s.c, statement.c_str()), &PQclear);
    const auto status = PQresultStatus(r.get());
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) fail(statement + ": " + PQerrorMessage(s.c));
    sql_rows out;
    for (int i = 0; i < PQntuples(r.get()); ++i) {
        auto& row = out.emplace_back();
        for (int k = 0; k < PQnfields(r.get()); ++k)
            row.push_back(PQgetisnull(r.get(), i, k) != 0 ? std::nullopt : std::optional<std::string>(PQgetvalue(r.get(), i, k)));
    }
    return out;
}

std::string sql_value(const std::string& uri, const std::string& statement)
{
    const auto rows = sql(uri, statement);
    return rows.empty() || rows[0].empty() ? "" : rows[0][0].value_or("");
}

}  // namespace bb_test
