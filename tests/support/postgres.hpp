// A private PostgreSQL for one test process: its own data directory, port and socket, gone afterwards whatever happens.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace bb_test {

// Rows of text; a null is nullopt.
using sql_rows = std::vector<std::vector<std::optional<std::string>>>;

// Starts PostgreSQL on 127.0.0.1 (a free port) and on a socket in its own directory under /tmp. As root it runs as the
// system's `postgres` user, since PostgreSQL refuses root. A watcher process ends it and removes the directory when
// this process goes away, even by SIGKILL. Throws std::runtime_error with the server's log when it does not start.
// The data directory is a copy of one that initdb made once per build tree.
class postgres {
public:
    postgres();
    // A streaming standby of the server that answers on this port, a proxy's perhaps: made by pg_basebackup, on a port of its
    // own. That server must have been configured for it (configure_for_standbys).
    explicit postgres(int primary_port);
    ~postgres();
    postgres(const postgres&) = delete;
    postgres& operator=(const postgres&) = delete;

    void stop();       // fast shutdown: sessions are told 57P01
    void start();      // on the same port, with the same data
    void restart();
    void kill();       // SIGKILL the server and all its sessions: nobody is told anything
    // SIGSTOP and SIGCONT of the server and all its sessions: connections stay open and nothing answers.
    void freeze();
    void thaw();

    // Adds lines to its configuration and restarts it.
    void configure(const std::string& lines);
    void configure_for_standbys() { configure("wal_level = replica\nmax_wal_senders = 4\nwal_keep_size = 64MB\n"); }
    // A standby becomes a primary; returns when it takes writes.
    void promote();
    // The whole data directory as it is, of a server that is stopped meanwhile; the other way round with `restore`.
    void backup(const std::string& directory);
    void restore(const std::string& directory);

    // Creates the database; "postgresql://test@127.0.0.1:<port>/<name>?..".
    std::string create_database(const std::string& name);
    // A database with a name of its own.
    std::string create_database();
    std::string uri(const std::string& database = "postgres") const;
    std::string socket_uri(const std::string& database = "postgres") const;
    int port() const noexcept;
    std::string directory() const;
    std::string log() const;

private:
    struct impl;
    std::unique_ptr<impl> impl_;
};

// One server for all cases of a test program; each case makes its own database.
postgres& shared_postgres();

// One blocking statement on a connection of its own. Throws std::runtime_error.
sql_rows sql(const std::string& uri, const std::string& statement);
// Its first field; empty when there is no row or it is null.
std::string sql_value(const std::string& uri, const std::string& statement);

}  // namespace bb_test
