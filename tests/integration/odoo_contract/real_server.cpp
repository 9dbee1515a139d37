// A real Odoo, named by TEST_ODOO_URL, TEST_ODOO_DB, TEST_ODOO_USERNAME, TEST_ODOO_PASSWORD, TEST_ODOO_API_KEY and
// TEST_ODOO_API. Its user must be allowed to make products, recipes and equipment (Inventory, Manufacturing and
// Maintenance administrator), which batchbridge's own user need not be. Everything made has a name of its own.
#include "contract_bench.hpp"

#include "http/client.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <fmt/format.h>

#include <cstdlib>
#include <random>

namespace batchbridge::tests {

namespace json = boost::json;

namespace {

std::string variable(const char* name)
{
    const char* value = std::getenv(name);
    return value == nullptr ? std::string() : std::string(value);
}

std::string unique_name()
{
    std::random_device r;
    return fmt::format("BB-TEST-{:08x}{:08x}", r(), r());
}

// The calls of an administrator, over /jsonrpc: 18 and 19 have it (odoo19.md, section 1).
class administrator {
public:
    administrator() : client_(ioc_.get_executor(), http::client_options::plain(variable("TEST_ODOO_URL"))), secret_(variable("TEST_ODOO_API_KEY"))
    {
        if (secret_.empty()) secret_ = variable("TEST_ODOO_PASSWORD");
        json::array args;
        for (const auto& v : {variable("TEST_ODOO_DB"), variable("TEST_ODOO_USERNAME"), secret_}) args.emplace_back(json::value(v));
        args.emplace_back(json::object{});
        uid_ = ask("common", "authenticate", std::move(args));
        if (!uid_.is_int64()) throw std::runtime_error("TEST_ODOO_URL: the login was refused");
    }

    json::value execute(const std::string& model, const std::string& method, json::array positional, json::object keyword = {})
    {
        json::array args;
        args.emplace_back(json::value(variable("TEST_ODOO_DB")));
        args.push_back(uid_);
        args.emplace_back(json::value(secret_));
        args.emplace_back(json::value(model));
        args.emplace_back(json::value(method));
        args.emplace_back(std::move(positional));
        args.emplace_back(std::move(keyword));
        return ask("object", "execute_kw", std::move(args));
    }

    std::int64_t create(const std::string& model, json::object values)
    {
        json::array positional;
        positional.emplace_back(std::move(values));
        return execute(model, "create", std::move(positional)).as_int64();
    }

    // The newest record whose `field` is `value`; 0: none.
    std::int64_t find(const std::string& model, const std::string& field, const std::string& value)
    {
        json::array condition{json::value(field), "=", json::value(value)};
        json::array domain;
        domain.emplace_back(std::move(condition));
        json::array positional;
        positional.emplace_back(std::move(domain));
        json::object keyword;
        keyword["limit"] = 1;
        keyword["order"] = "id desc";
        json::array fields;
        fields.emplace_back("id");
        keyword["fields"] = std::move(fields);
        const auto found = execute(model, "search_read", std::move(positional), std::move(keyword));
        return found.as_array().empty() ? 0 : found.as_array()[0].at("id").as_int64();
    }

private:
    json::value ask(const std::string& service, const std::string& method, json::array args)
    {
        json::object params;
        params["service"] = json::value(service);
        params["method"] = json::value(method);
        params["args"] = std::move(args);
        json::object body;
        body["jsonrpc"] = "2.0";
        body["method"] = "call";
        body["id"] = 1;
        body["params"] = std::move(params);
        http::request r;
        r.method = "POST";
        r.target = "/jsonrpc";
        r.content_type = "application/json";
        r.body = json::serialize(body);
        r.deadline = std::chrono::seconds(60);
        std::optional<http::response> answer;
        std::exception_ptr failure;
        boost::asio::co_spawn(ioc_, client_.send(r), [&](std::exception_ptr e, http::response got) {
            failure = e;
            if (!e) answer = std::move(got);
        });
        ioc_.restart();
        ioc_.run();
        if (failure) std::rethrow_exception(failure);
        auto value = json::parse(answer->body);
        if (const auto* error = value.as_object().if_contains("error")) throw std::runtime_error("TEST_ODOO_URL: " + json::serialize(*error));
        auto* result = value.as_object().if_contains("result");
        return result == nullptr ? json::value() : std::move(*result);
    }

    boost::asio::io_context ioc_;
    http::client client_;
    std::string secret_;
    json::value uid_;
};

class real : public odoo_server {
public:
    std::map<std::string, std::string> environment() const override
    {
        std::map<std::string, std::string> out{{"ODOO_URL", variable("TEST_ODOO_URL")}, {"ODOO_DB", variable("TEST_ODOO_DB")}, {"ODOO_USERNAME", variable("TEST_ODOO_USERNAME")}};
        for (const auto* name : {"PASSWORD", "API_KEY", "API"})
            if (const auto value = variable(("TEST_ODOO_" + std::string(name)).c_str()); !value.empty()) out["ODOO_" + std::string(name)] = value;
        return out;
    }

    std::int64_t make_order(double quantity, const std::vector<wanted_component>& components) override
    {
        const auto product = make_product(unique_name());
        json::object recipe;
        recipe["product_tmpl_id"] = template_of(product);
        recipe["product_qty"] = quantity;
        json::array lines;
        for (const auto& c : components) {
            auto id = admin_.find("product.product", "default_code", c.code);
            if (id == 0) id = make_product(c.code);
            json::object line;
            line["product_id"] = id;
            line["product_qty"] = c.quantity;
            lines.emplace_back(json::array{0, 0, std::move(line)});
        }
        recipe["bom_line_ids"] = std::move(lines);
        const auto bom = admin_.create("mrp.bom", std::move(recipe));
        json::object order;
        order["product_id"] = product;
        order["bom_id"] = bom;
        order["product_qty"] = quantity;
        const auto id = admin_.create("mrp.production", std::move(order));
        json::array ids;
        ids.emplace_back(json::array{id});
        admin_.execute("mrp.production", "action_confirm", std::move(ids));
        return id;
    }

    std::int64_t equipment(const std::string& serial_no) override
    {
        if (const auto id = admin_.find("maintenance.equipment", "serial_no", serial_no)) return id;
        json::object values;
        values["name"] = json::value(serial_no);
        values["serial_no"] = json::value(serial_no);
        return admin_.create("maintenance.equipment", std::move(values));
    }

private:
    // In kg, as the default map's silos are.
    std::int64_t make_product(const std::string& code)
    {
        const auto unit = admin_.find("uom.uom", "name", "kg");
        json::object values;
        values["name"] = json::value(code);
        values["default_code"] = json::value(code);
        values["type"] = "consu";
        values["is_storable"] = true;
        values["uom_id"] = unit;
        return admin_.create("product.product", std::move(values));
    }

    std::int64_t template_of(std::int64_t product)
    {
        json::array ids;
        ids.emplace_back(json::array{product});
        json::object keyword;
        keyword["fields"] = json::array{"product_tmpl_id"};
        const auto records = admin_.execute("product.product", "read", std::move(ids), std::move(keyword));
        return records.as_array().at(0).at("product_tmpl_id").as_array().at(0).as_int64();
    }

    administrator admin_;
};

}  // namespace

std::unique_ptr<odoo_server> real_server()
{
    return std::make_unique<real>();
}

}  // namespace batchbridge::tests
