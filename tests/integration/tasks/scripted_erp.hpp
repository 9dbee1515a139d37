// An Odoo in memory: orders that a test can look into, and a say in how each call ends.
#pragma once

#include "odoo/erp.hpp"

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace batchbridge::tests {

class scripted_erp : public odoo::erp {
public:
    template <class T>
    using awaitable = boost::asio::awaitable<T>;

    // An order with one component per silo; its moves are 10 * id + 1, 2 ..
    domain::order& add(std::int64_t id, const std::vector<std::string>& products = {"SILO-101"});

    std::map<std::int64_t, domain::order> orders;
    std::map<std::string, std::int64_t> equipment;       // by serial number
    std::vector<odoo::maintenance_request> requests;     // the first has id 1
    std::vector<std::pair<std::int64_t, std::string>> notes;
    std::vector<odoo::fetch_request> fetched;            // what each fetch asked for
    std::vector<std::string> calls;                      // "probe", "read 1", "write_final 1" ..
    std::function<void(const std::string& call)> before; // may throw, then the call has no effect
    std::function<void(const std::string& call)> after;  // may throw: it had its effect all the same
    std::function<std::string(const domain::mapped_order&)> refuse;
    std::string hangs;                                   // the read that does not come back, until it is cleared
    bool hang_all = false;                               // no read of an order comes back
    int count(const std::string& call) const;

    awaitable<odoo::server_info> connect() override;
    awaitable<void> probe() override;
    awaitable<odoo::fetch_answer> fetch_confirmed(const odoo::fetch_request& what) override;
    awaitable<std::optional<domain::order>> read_order(std::int64_t odoo_id) override;
    awaitable<std::vector<domain::order>> read_orders(const std::vector<std::int64_t>& ids) override;
    awaitable<void> write_consumption(std::int64_t odoo_id, const std::vector<domain::move_value>& moves) override;
    awaitable<void> write_final(std::int64_t odoo_id, const domain::finish_values& values) override;
    awaitable<std::string> mark_done(std::int64_t odoo_id, const domain::finish_values& values, core::utc_time ended) override;
    awaitable<void> cancel(std::int64_t odoo_id) override;
    awaitable<std::optional<std::int64_t>> find_equipment(const std::string& serial_no) override;
    awaitable<std::optional<std::int64_t>> find_request(const std::string& key) override;
    awaitable<std::int64_t> create_request(const odoo::maintenance_request& what) override;
    awaitable<void> post_note(std::int64_t odoo_id, const std::string& text) override;
    awaitable<std::vector<odoo::finding>> check() override;
    std::string refuses(const domain::mapped_order& o) const override { return refuse ? refuse(o) : std::string(); }

private:
    void begin(const std::string& call);
    void end(const std::string& call);
    void write(std::int64_t odoo_id, const std::vector<domain::move_value>& moves);
};

// Odoo's own no, of this class.
odoo::error refused(domain::error_class decision, const std::string& text, const std::string& name = "odoo.exceptions.UserError");
// No answer, after the bytes went out.
odoo::error no_answer();

}  // namespace batchbridge::tests
