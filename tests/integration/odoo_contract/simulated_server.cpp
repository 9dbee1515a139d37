// odoo-sim as a process of its own, asked over its control port for what people would do.
#include "contract_bench.hpp"

#include "support/plant.hpp"

#include <boost/json/serialize.hpp>

namespace batchbridge::tests {

namespace json = boost::json;

namespace {

class simulated : public odoo_server {
public:
    explicit simulated(std::string protocol) : protocol_(std::move(protocol)), plant_(options(protocol_)) {}

    std::map<std::string, std::string> environment() const override
    {
        std::map<std::string, std::string> out;
        for (const auto& [name, value] : plant_.environment())
            if (name.starts_with("ODOO_")) out[name] = value;
        // The tests here are about answers, not about the shortest patience.
        for (const auto* name : {"ODOO_CONNECT_TIMEOUT", "ODOO_TIMEOUT", "ODOO_WRITE_TIMEOUT"}) out[name] = "15s";
        out["ODOO_UNCLEAR_WAIT"] = "20s";
        return out;
    }

    std::int64_t make_order(double quantity, const std::vector<wanted_component>& components) override
    {
        json::object o;
        o["quantity"] = quantity;
        json::array list;
        for (const auto& c : components) {
            json::object one;
            one["product_code"] = json::value(c.code);
            one["quantity"] = c.quantity;
            list.push_back(std::move(one));
        }
        o["components"] = std::move(list);
        return plant_.odoo("/orders", json::serialize(o)).at("ids").at(0).as_int64();
    }

    std::int64_t equipment(const std::string& serial_no) override
    {
        const auto all = plant_.odoo("/equipment");
        for (const auto& e : all.as_array())
            if (e.at("serial_no").as_string() == json::string_view(serial_no.data(), serial_no.size())) return e.at("id").as_int64();
        throw std::runtime_error("odoo-sim has no equipment " + serial_no);
    }

    std::vector<std::string> violations() override
    {
        std::vector<std::string> out;
        const auto all = plant_.odoo("/violations");
        for (const auto& v : all.as_array()) out.emplace_back(v.as_string());
        return out;
    }

private:
    static bb_test::plant_options options(const std::string& protocol)
    {
        bb_test::plant_options o;
        o.start_plc = false;
        o.with_database = false;
        o.environment["ODOO_API"] = protocol;
        if (protocol == "json2") {
            o.odoo_arguments = {"--version", "19.0", "--api-key", "contract-key"};
            o.environment["ODOO_API_KEY"] = "contract-key";
            o.environment["ODOO_PASSWORD"] = "";
        }
        return o;
    }

    std::string protocol_;
    bb_test::plant plant_;
};

}  // namespace

std::unique_ptr<odoo_server> simulated_server(const std::string& protocol)
{
    return std::make_unique<simulated>(protocol);
}

}  // namespace batchbridge::tests
