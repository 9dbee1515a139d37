// A plant whose bridge dies at a named point and is there again, by itself or as a second process, while a person and the PLC
// go on. What is made after begin() belongs to one round.
#pragma once

#include "support/plant.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace bb_test::matrix {

enum class way {
    restart,       // SIGKILL, and started again
    takeover,      // SIGKILL, and a second process that stood by goes on
    shutdown       // SIGTERM, the end awaited (exit 0 within 10 s), and started again
};
const char* to_string(way w);

// What had been there when the round began.
struct baseline {
    std::string time;      // the database's
    std::int64_t orders = 0, journal = 0, loads = 0, failures = 0, loads_taken = 0, failures_acknowledged = 0, requests = 0;
    std::size_t violations = 0, in_odoo = 0;      // in_odoo: maintenance requests
};

class bench {
public:
    bench(const plant_options& options, way w);

    // `point` as in BATCHBRIDGE_CRASH_AT (core/crash_point.hpp), or "a then b": whoever goes on dies too. Empty: nobody dies.
    void begin(const std::string& point);
    // Orders of this round, in Odoo.
    void make(int count);
    // One more that cannot be made: it is refused, and no history tells of it.
    void make_refused();
    int made() const noexcept { return made_; }
    std::int64_t id(int order) const noexcept { return base_.orders + order; }          // 1: the first of this round
    std::string name(int order) const;
    // `text` with the names of this round's orders as "order 1", ..
    std::string relative(std::string text) const;

    // Waits, and meanwhile starts again what has died.
    void until(const std::string& what, const std::function<bool()>& condition, std::chrono::milliseconds limit = std::chrono::seconds(40));
    // A person asks until it is accepted or `done`: one who gets no answer looks and asks again. An empty target: not yet.
    void ask(const std::string& what, const std::function<std::string()>& target, const std::string& body, const std::function<bool()>& done = nullptr);
    // Nothing is left to be done by anybody.
    void settle();

    // Empty: somebody died at each point of this round. Else the one that was not reached.
    const std::string& not_reached() const noexcept { return dies_next_; }
    // The point at which somebody died last.
    std::string died_at() const;
    // What is wrong about how a process ended.
    const std::vector<std::string>& complaints() const noexcept { return complaints_; }
    // The longest way from SIGTERM to the end of a process in this round.
    std::chrono::milliseconds longest_shutdown() const noexcept { return longest_shutdown_; }
    const baseline& base() const noexcept { return base_; }
    plant& at() noexcept { return plant_; }
    // On a connection that stays, as they are asked often.
    sql_rows rows(const std::string& statement) { return session_->rows(statement); }
    std::string sql(const std::string& statement);                            // the first field
    std::int64_t number(const std::string& statement);                        // 0: null
    std::int64_t count(const std::string& from) { return number("select count(*) from " + from); }
    int round() const noexcept { return round_; }
    std::string logs() const;

private:
    struct member {
        program process;
        int port = 0;
        std::vector<std::string> logs;
        bool up = false;
    };
    void start(member& m);
    void arm();
    void supervise();
    void ended(member& m);
    bool stands_by(member& m) const;
    bool nothing_left();
    bool dies_yet();

    way way_;
    plant plant_;
    std::string die_, died_, dies_next_;      // "" or what is still to come, "a then b"
    std::vector<member> members_;
    baseline base_;
    int made_ = 0, refused_ = 0, round_ = 0;
    std::unique_ptr<sql_session> session_;
    std::vector<std::string> complaints_;
    std::chrono::milliseconds longest_shutdown_{0};
};

}  // namespace bb_test::matrix
