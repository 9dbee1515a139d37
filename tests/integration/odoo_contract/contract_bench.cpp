#include "contract_bench.hpp"

#include "odoo/factory.hpp"

#include <cstdlib>

namespace batchbridge::tests {

namespace {

core::config configured(const std::map<std::string, std::string>& odoo)
{
    std::map<std::string, std::string> all{{"DATABASE_URL", "postgresql://nobody@127.0.0.1/none"}, {"PLC_HOST", "127.0.0.1"}};
    for (const auto& [name, value] : odoo) all[name] = value;
    const auto lookup = [&all](const std::string& name) -> std::optional<std::string> {
        const auto it = all.find(name);
        if (it == all.end() || it->second.empty()) return std::nullopt;
        return it->second;
    };
    return core::load_config(lookup, core::real_files());
}

}  // namespace

core::decimal kg(const std::string& text)
{
    return core::decimal::parse(text).value();
}

std::vector<std::string> servers()
{
    std::vector<std::string> out{"odoo-sim jsonrpc", "odoo-sim json2", "odoo-sim scada"};
    if (std::getenv("TEST_ODOO_URL") != nullptr) out.emplace_back("TEST_ODOO_URL");
    return out;
}

std::unique_ptr<odoo_server> open_server(const std::string& name)
{
    if (name == "TEST_ODOO_URL") return real_server();
    return simulated_server(name.substr(name.find(' ') + 1));
}

contract_bench::contract_bench(const std::string& server) : server_(open_server(server)), config_(configured(server_->environment()))
{
    erp_ = odoo::make_erp(ioc_.get_executor(), config_, [] { return true; });
}

std::unique_ptr<odoo::erp> contract_bench::client(const std::map<std::string, std::string>& over)
{
    auto environment = server_->environment();
    for (const auto& [name, value] : over) environment[name] = value;
    return odoo::make_erp(ioc_.get_executor(), configured(environment), [] { return true; });
}

std::int64_t contract_bench::order()
{
    return server_->make_order(170, {{"SILO-101", 100}, {"SILO-102", 50}, {"LQ114", 20}});
}

domain::order contract_bench::read(std::int64_t id)
{
    auto o = run(erp_->read_order(id));
    if (!o) throw std::runtime_error("order " + std::to_string(id) + " is not there");
    std::sort(o->components.begin(), o->components.end(), [](const auto& a, const auto& b) { return a.product_code > b.product_code; });
    // SILO-102, SILO-101, LQ114 by now.
    if (o->components.size() > 1) std::swap(o->components[0], o->components[1]);
    return std::move(*o);
}

std::vector<domain::move_value> contract_bench::moves(const domain::order& o, const std::vector<std::string>& amounts)
{
    static const std::vector<int> silos{101, 102, 114};
    std::vector<domain::move_value> out;
    for (std::size_t i = 0; i < o.components.size() && i < amounts.size(); ++i) {
        domain::move_value v;
        v.move_id = o.components[i].move_id;
        v.quantity = kg(amounts[i]);
        v.silo = silos.at(i);
        out.push_back(v);
    }
    return out;
}

void contract_bench::run(boost::asio::awaitable<void> call)
{
    std::exception_ptr failure;
    boost::asio::co_spawn(ioc_, std::move(call), [&](std::exception_ptr e) { failure = e; });
    ioc_.restart();
    ioc_.run();
    if (failure) std::rethrow_exception(failure);
}

}  // namespace batchbridge::tests
