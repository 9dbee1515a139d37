// One set of tests for every Odoo that batchbridge speaks to: odoo-sim over each protocol, and a real server when
// TEST_ODOO_URL and its companions are set. What is asked here is what the rest of the program relies on.
#pragma once

#include "core/config.hpp"
#include "odoo/erp.hpp"
#include "support/catch.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace batchbridge::tests {

struct wanted_component {
    std::string code;   // product reference, one of the default map's silos
    double quantity;    // kg
};

// A server with people in front of it: what a test needs beyond the calls that batchbridge itself makes.
class odoo_server {
public:
    virtual ~odoo_server() = default;
    // ODOO_* as batchbridge is to be started with.
    virtual std::map<std::string, std::string> environment() const = 0;
    // A confirmed order, of a product and a recipe that no other test uses.
    virtual std::int64_t make_order(double quantity, const std::vector<wanted_component>& components) = 0;
    virtual std::int64_t equipment(const std::string& serial_no) = 0;
    // Complaints of the server itself; a real one has none.
    virtual std::vector<std::string> violations() { return {}; }
};

// "odoo-sim jsonrpc", "odoo-sim json2", "odoo-sim scada", and "TEST_ODOO_URL" when that is set.
std::vector<std::string> servers();
std::unique_ptr<odoo_server> open_server(const std::string& name);
std::unique_ptr<odoo_server> simulated_server(const std::string& protocol);
std::unique_ptr<odoo_server> real_server();

class contract_bench {
public:
    explicit contract_bench(const std::string& server);

    odoo_server& server() { return *server_; }
    odoo::erp& erp() { return *erp_; }
    // Another client of the same server, with these variables over the usual ones.
    std::unique_ptr<odoo::erp> client(const std::map<std::string, std::string>& over);
    const core::config& config() const { return config_; }
    bool scada() const { return config_.api == core::odoo_api::scada; }

    // One order with these three components, in their sequence: SILO-101 100 kg, SILO-102 50 kg, LQ114 20 kg.
    std::int64_t order();
    domain::order read(std::int64_t id);
    // Values for the three moves of `o`, with their silos.
    static std::vector<domain::move_value> moves(const domain::order& o, const std::vector<std::string>& kg);

    template <class T>
    T run(boost::asio::awaitable<T> call)
    {
        std::optional<T> out;
        std::exception_ptr failure;
        boost::asio::co_spawn(ioc_, std::move(call), [&](std::exception_ptr e, T value) {
            failure = e;
            if (!e) out.emplace(std::move(value));
        });
        ioc_.restart();
        ioc_.run();
        if (failure) std::rethrow_exception(failure);
        return std::move(out.value());
    }
    void run(boost::asio::awaitable<void> call);
    template <class T>
    odoo::error fail(boost::asio::awaitable<T> call)
    {
        try {
            run(std::move(call));
        } catch (const odoo::error& e) {
            return e;
        }
        throw std::runtime_error("the call did not fail");
    }

private:
    boost::asio::io_context ioc_;
    std::unique_ptr<odoo_server> server_;
    core::config config_;
    std::unique_ptr<odoo::erp> erp_;
};

core::decimal kg(const std::string& text);

}  // namespace batchbridge::tests
