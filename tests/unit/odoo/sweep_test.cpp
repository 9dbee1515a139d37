// Every recorded exchange of a call that the client makes: the request must be asked for again as it was recorded (ours may say
// more), and the recorded answer must come out as the recordings' documents say.
#include "support/catch.hpp"

#include "odoo/error_table.hpp"
#include "replay.hpp"

#include <boost/json/parse.hpp>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

using namespace replay;
using domain::call_outcome;
using match = replay::match;

namespace {

// One recorded call, whatever the protocol.
struct swept {
    std::string file;
    exchange e;
    std::string model, method;
    json::array ids;
    json::object values;       // write
    json::object keyword;
};

json::value parse(const std::filesystem::path& path)
{
    std::ifstream in(path);
    return json::parse(std::string{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()});
}

std::vector<std::filesystem::path> files(const char* version)
{
    std::vector<std::filesystem::path> out;
    for (const auto& entry : std::filesystem::directory_iterator(std::filesystem::path(ODOO_RECORDINGS).parent_path() / version))
        if (entry.path().extension() == ".json") out.push_back(entry.path());
    std::sort(out.begin(), out.end());
    return out;
}

json::array list_or_one(const json::value& ids)
{
    if (ids.is_array()) return ids.as_array();
    json::array out;
    out.push_back(ids);
    return out;
}

// execute_kw as the bench's user would send it; nullopt: another kind of request.
std::optional<swept> from_18(const std::string& file, exchange e)
{
    auto* body = e.request.at("body").if_object();
    if (body == nullptr || e.request.at("path") != "/jsonrpc" || !body->contains("params")) return std::nullopt;
    auto* params = (*body)["params"].if_object();
    if (params == nullptr || !params->contains("args") || params->at("method") != "execute_kw") return std::nullopt;
    auto& args = params->at("args").as_array();
    if (args.size() < 6 || e.response.at("status") != 200 || !args[5].is_array()) return std::nullopt;
    if (args.size() == 6) args.emplace_back(json::object{});
    args[0] = "factory";
    args[1] = 6;
    args[2] = "plc";
    swept s;
    s.file = file;
    s.model = args[3].as_string();
    s.method = args[4].as_string();
    const auto& positional = args[5].as_array();
    if (!positional.empty() && (positional[0].is_array() || positional[0].is_int64())) s.ids = list_or_one(positional[0]);
    if (positional.size() > 1 && positional[1].is_object()) s.values = positional[1].as_object();
    s.keyword = args[6].as_object();
    s.e = std::move(e);
    return s;
}

std::optional<swept> from_19(const std::string& file, exchange e)
{
    const std::string path(e.request.at("path").as_string());
    auto* body = e.request.at("body").if_object();
    const std::string prefix = "/json/2/";
    if (body == nullptr || !path.starts_with(prefix) || path.find('/', prefix.size()) == std::string::npos) return std::nullopt;
    if (e.response.at("body").is_null() || e.response.at("body").is_string()) return std::nullopt;
    swept s;
    s.file = file;
    s.model = path.substr(prefix.size(), path.find('/', prefix.size()) - prefix.size());
    s.method = path.substr(path.rfind('/') + 1);
    if (const auto* ids = body->if_contains("ids")) s.ids = list_or_one(*ids);
    if (const auto* values = body->if_contains("vals"); values != nullptr && values->is_object()) s.values = values->as_object();
    s.keyword = *body;
    e.request.as_object()["headers"] = recorded19("seq_02_check_key").request.at("headers");
    s.e = std::move(e);
    return s;
}

// [[1, id, {quantity, picked: true}], ..] and nothing else.
std::optional<std::vector<domain::move_value>> moves_of(const json::object& values)
{
    const auto* commands = values.if_contains("move_raw_ids");
    if (commands == nullptr) return std::nullopt;
    std::vector<domain::move_value> out;
    for (const auto& c : commands->as_array()) {
        if (!c.is_array() || c.as_array().size() != 3 || c.at(0) != 1 || !c.at(2).is_object()) return std::nullopt;
        const auto& v = c.at(2).as_object();
        for (const auto& [key, value] : v)
            if (key != "quantity" && key != "picked" && key != "manual_consumption") return std::nullopt;
        if (!v.contains("quantity") || !v.at("quantity").is_number() || !v.contains("picked") || v.at("picked") != true) return std::nullopt;
        if (v.contains("manual_consumption") && v.at("manual_consumption") != true) return std::nullopt;
        domain::move_value m;
        m.move_id = c.at(1).as_int64();
        m.quantity = core::decimal::from_double(v.at("quantity").to_number<double>()).value();
        out.push_back(m);
    }
    return out;
}

const json::value* fault_of(const swept& s)
{
    const auto* body = s.e.response.at("body").if_object();
    if (body == nullptr) return nullptr;
    if (s.e.response.at("status") != 200) return &s.e.response.at("body");
    const auto* error = body->contains("jsonrpc") ? body->if_contains("error") : nullptr;
    return error != nullptr ? &error->at("data") : nullptr;
}

// Makes the call that was recorded, if it is one of ours; false: it is not.
template <class Bench>
bool sweep(Bench& b, odoo::protocol p, const swept& s)
{
    std::function<asio::awaitable<void>()> make;
    auto& client = b.client();
    const bool one = s.ids.size() == 1 && s.ids[0].is_int64();
    const auto id = one ? s.ids[0].as_int64() : 0;
    std::string read_back;
    if (s.model == "mrp.production" && s.method == "write" && one) {
        const auto moves = moves_of(s.values);
        if (!moves) return false;
        domain::finish_values v;
        v.moves = *moves;
        if (s.values.size() == 1) {
            make = [&client, id, v]() -> asio::awaitable<void> { return client.write_consumption(id, v.moves); };
        } else if (s.values.size() == 2 && s.values.contains("qty_producing")) {
            v.produced = core::decimal::from_double(s.values.at("qty_producing").to_number<double>()).value();
            make = [&client, id, v]() -> asio::awaitable<void> { return client.write_final(id, v); };
        } else {
            return false;
        }
    } else if (s.model == "mrp.production" && s.method == "button_mark_done" && one) {
        const auto* context = s.keyword.if_contains("context");
        if (context != nullptr && context->as_object().contains("mo_ids_to_backorder")) return false;
        make = [&client, id, &read_back]() -> asio::awaitable<void> {
            const domain::finish_values nothing;
            const core::utc_time never{};
            read_back = co_await client.mark_done(id, nothing, never);
        };
    } else if (s.model == "mrp.production" && s.method == "action_cancel" && one) {
        make = [&client, id]() -> asio::awaitable<void> { return client.cancel(id); };
    } else if (s.model == "mrp.production" && s.method == "message_post" && one && s.keyword.contains("body")) {
        const std::string text(s.keyword.at("body").as_string());
        make = [&client, id, text]() -> asio::awaitable<void> { return client.post_note(id, text); };
    } else {
        return false;
    }
    if (b.peer.connections() == 0) {
        if (p == odoo::protocol::json2) b.peer.expect_key();
        else b.peer.expect_login();
        b.run(client.connect());
    }
    b.peer.expect(s.e, match::contains);
    INFO(s.file);
    if (const auto* fault = fault_of(s)) {
        const std::string name(fault->at("name").as_string());
        const auto failed = b.fail(make());
        CHECK(failed.outcome() == call_outcome::rejected);
        CHECK(failed.peer_code() == name);
        CHECK(failed.decision() == odoo::classify(p, static_cast<unsigned>(s.e.response.at("status").as_int64()), name));
    } else {
        b.run(make());
        const auto& body = s.e.response.at("body");
        const bool action = (p == odoo::protocol::json2 ? body : body.as_object().contains("result") ? body.at("result") : json::value()).is_object();
        if (s.method == "button_mark_done") CHECK((read_back.starts_with("wizard ") || read_back.starts_with("action ")) == action);
    }
    CHECK(b.peer.complaints() == std::vector<std::string>{});
    return true;
}

}  // namespace

// The counts are those of the recordings: fewer would mean that the sweep passes some over.
TEST_CASE("jsonrpc: every recorded write, done, cancel and note of Odoo 18 is asked as recorded and understood")
{
    bench b;
    std::multiset<std::string> done;
    for (const auto& path : files("odoo18")) {
        const auto all = parse(path);
        for (const auto& step : all.at("steps").as_array()) {
            const auto* response = step.as_object().if_contains("response");
            if (response == nullptr || !response->is_object()) continue;
            const auto s = from_18(path.filename().string(), {step.at("request"), *response});
            if (s && sweep(b, odoo::protocol::jsonrpc, *s)) done.insert(s->method);
        }
    }
    CHECK(done.count("write") >= 16);
    CHECK(done.count("button_mark_done") >= 19);
    CHECK(done.count("action_cancel") >= 2);
    CHECK(done.count("message_post") >= 2);
}

TEST_CASE("json2: every recorded write, done, cancel and note of Odoo 19 is asked as recorded and understood")
{
    key_bench b;
    std::multiset<std::string> done;
    for (const auto& path : files("odoo19")) {
        const auto all = parse(path);
        const std::size_t steps = all.as_object().contains("steps") ? all.at("steps").as_array().size() : 1;
        for (std::size_t i = 0; i < steps; ++i) {
            const auto s = from_19(path.filename().string(), recorded19(path.stem().string(), i));
            if (s && sweep(b, odoo::protocol::json2, *s)) done.insert(s->method);
        }
    }
    CHECK(done.count("write") >= 8);
    CHECK(done.count("button_mark_done") >= 24);
    CHECK(done.count("action_cancel") >= 2);
    CHECK(done.count("message_post") >= 1);
}
