#include "web_bench.hpp"

#include "core/log.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <boost/json/parse.hpp>

#include <fmt/format.h>

#include <fstream>
#include <sstream>

namespace batchbridge::tests {

namespace bhttp = boost::beast::http;
using boost::asio::ip::tcp;
using std::chrono::steady_clock;

namespace {

// A PLC whose cable is out.
class no_plc : public plc::device {
public:
    explicit no_plc(web_bench& bench) : bench_(bench) {}
    const std::string& name() const override { return name_; }
    bool connected() const override { return false; }
    unsigned connections() const override { return 0; }
    asio::awaitable<void> connect() override { return fail<void>(); }
    asio::awaitable<domain::words> read_slot(plc::area, int) override { return fail<domain::words>(); }
    asio::awaitable<std::vector<domain::words>> read_all(plc::area) override { return fail<std::vector<domain::words>>(); }
    asio::awaitable<plc::observation> observe(int, const domain::words&) override { return fail<plc::observation>(); }
    asio::awaitable<std::uint16_t> read_ready() override { return fail<std::uint16_t>(); }
    asio::awaitable<void> write_disarmed(const std::vector<domain::words>&) override { return fail<void>(); }
    asio::awaitable<std::vector<std::string>> verify(const std::vector<domain::words>&) override { return fail<std::vector<std::string>>(); }
    asio::awaitable<void> arm(const domain::words&) override { return fail<void>(); }
    asio::awaitable<void> disarm(int) override { return fail<void>(); }
    asio::awaitable<void> clear_recipes() override { return fail<void>(); }
    asio::awaitable<bool> acknowledge(int) override { return fail<bool>(); }
    asio::awaitable<plc::observation> observe_failure(const domain::words&) override { return fail<plc::observation>(); }
    asio::awaitable<plc::failure_answer> acknowledge_failure(const domain::words&) override { return fail<plc::failure_answer>(); }
    void interrupt() noexcept override {}

private:
    template <class T>
    asio::awaitable<T> fail()
    {
        while (bench_.plc_hangs) co_await bench_.plc_answers.wait();
        throw plc::error(core::error_kind::unavailable, "connect", name_, "the cable is out");
    }
    web_bench& bench_;
    std::string name_ = "plc test";
};

std::string read_text(const std::string& path)
{
    std::ifstream file(path);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

core::config configuration(const std::string& uri, const web_bench::environment& changes)
{
    web_bench::environment all{{"DATABASE_URL", uri}, {"PLC_HOST", "127.0.0.1"}, {"PLC_MAP", BATCHBRIDGE_CONF "/plc-map.json"}, {"PLC_WRITES", "true"},
                               // Port 9 (discard): nobody is there.
                               {"ODOO_URL", "http://127.0.0.1:9"}, {"ODOO_DB", "factory"}, {"ODOO_USERNAME", "plcbridge"}, {"ODOO_PASSWORD", "plc"},
                               {"ODOO_API", "jsonrpc"}, {"ENABLE_TASK_1_AUTO_SYNC", "false"}, {"ENABLE_TASK_2_PLC_READ", "false"},
                               {"ENABLE_TASK_3_PROCESS_COMPLETED", "false"}, {"ENABLE_TASK_5_EQUIPMENT_FAILURE", "false"}, {"ENABLE_TASK_6_CLEANUP", "false"}, {"HTTP_LISTEN", "127.0.0.1:0"}, {"API_TOKEN", token}};
    for (const auto& [name, value] : changes) all[name] = value;
    return core::load_config(
        [&all](const std::string& name) -> std::optional<std::string> {
            const auto it = all.find(name);
            return it == all.end() ? std::nullopt : std::optional(it->second);
        },
        core::real_files());
}

}  // namespace

std::string reply::error() const
{
    const auto* o = body.if_object();
    const auto* e = o != nullptr ? o->if_contains("error") : nullptr;
    return e != nullptr && e->is_string() ? std::string(e->get_string()) : "no reason in: " + text;
}

web_bench::web_bench(const environment& changes, const std::string& database)
    : uri(database.empty() ? bb_test::shared_postgres().create_database() : database), config(configuration(uri, changes))
{
    core::log::init(core::log::level::error, core::log::format::text);
    const auto executor = ioc.get_executor();
    pool = std::make_unique<pg::pool>(executor, config.database_url.value, 2);
    rows = std::make_unique<store::store>(*pool);
    locks = std::make_unique<store::line_locks>(executor, config.database_url.value, store::lease_times::for_this_build());
    erp = odoo::make_erp(executor, config, [this] { return locks->valid(); });
    env = std::make_unique<tasks::environment>(executor, config, *rows, *locks, *erp);
    std::vector<tasks::line_setup> lines;
    for (const auto& l : config.lines) lines.push_back({l, domain::parse_plant_map(read_text(l.map))});
    service = std::make_unique<tasks::service>(*env, *pool, BATCHBRIDGE_CONF "/migrations", std::move(lines), [this](const core::line_config&, const domain::plant_map&) {
        return [this](plc::device::write_permission) -> std::unique_ptr<plc::device> { return std::make_unique<no_plc>(*this); };
    });
    face = std::make_unique<web::web_server>(*service);
    face->listen();
    face->start();
    asio::co_spawn(ioc, service->run(), [this](std::exception_ptr) { ended_ = true; });
}

web_bench::~web_bench()
{
    // On the loop: Asio dispatches cancellation, and must not find the coroutine gone by then.
    asio::post(ioc, [this] {
        service->stop();
        face->stop();
    });
    ioc.restart();
    const auto until = steady_clock::now() + 15s;
    while (!ended_ && steady_clock::now() < until) ioc.run_one_for(50ms);
    ioc.run_for(100ms);
}

void web_bench::await(const std::function<bool()>& done)
{
    const auto until = steady_clock::now() + 15s;
    while (!done()) {
        if (steady_clock::now() > until) throw std::runtime_error("waited in vain");
        ioc.restart();
        ioc.run_one_for(20ms);
    }
}

web_bench& web_bench::ready()
{
    // The line counts its rows as changed when it starts its tasks.
    await([this] { return service->ready() && held() && service->find_line("line1")->rows_version() > 1; });
    return *this;
}

asio::awaitable<void> web_bench::ask(const std::string& method, const std::string& target, const std::string& body, const std::string& authorization, reply& out)
{
    bhttp::request<bhttp::string_body> ask;
    ask.method_string(method);
    ask.target(target);
    ask.version(11);
    ask.set(bhttp::field::host, "127.0.0.1");
    ask.set(bhttp::field::connection, "close");
    if (!authorization.empty()) ask.set(bhttp::field::authorization, authorization);
    ask.body() = body;
    ask.prepare_payload();
    bhttp::response_parser<bhttp::string_body> parser;
    if (method == "HEAD") parser.skip(true);
    tcp::socket socket(ioc);
    boost::beast::flat_buffer buffer;
    const tcp::endpoint here(asio::ip::address_v4::loopback(), face->port());
    co_await socket.async_connect(here, asio::use_awaitable);
    co_await bhttp::async_write(socket, ask, asio::use_awaitable);
    co_await bhttp::async_read(socket, buffer, parser, asio::use_awaitable);
    const auto& got = parser.get();
    out.status = got.result_int();
    out.text = got.body();
    out.www_authenticate = std::string(got[bhttp::field::www_authenticate]);
    out.content_type = std::string(got[bhttp::field::content_type]);
    boost::system::error_code ec;
    out.body = json::parse(out.text, ec);
}

reply web_bench::request(const std::string& method, const std::string& target, const std::string& body, const std::string& authorization)
{
    reply out;
    bool ended = false;
    std::exception_ptr failure;
    asio::co_spawn(ioc, ask(method, target, body, authorization, out), [&](std::exception_ptr e) {
        failure = e;
        ended = true;
    });
    await([&] { return ended; });
    if (failure) std::rethrow_exception(failure);
    return out;
}

std::vector<reply> web_bench::post_at_once(const std::string& target, const std::string& body, std::size_t times)
{
    const std::string method = "POST", page = "/api/v1/" + target, authorization = std::string("Bearer ") + token;
    std::vector<reply> out(times);
    std::size_t ended = 0;
    std::exception_ptr failure;
    for (auto& one : out)
        asio::co_spawn(ioc, ask(method, page, body, authorization, one), [&](std::exception_ptr e) {
            if (e) failure = e;
            ++ended;
        });
    await([&] { return ended == times; });
    if (failure) std::rethrow_exception(failure);
    return out;
}

std::int64_t web_bench::batch(const batch_setup& s)
{
    const int n = ++orders_;
    const auto id = sql(fmt::format(
        "with l as (insert into plc_load (line, number, state, images) values ('line1', {0}, 'taken', '{{}}') returning id), "
        "b as (insert into mo_batch (line, odoo_db, odoo_id, odoo_create_date, mo_id, order_key, batch_no, load, state, quantity_goods, status_manufacturing, version) "
        "select 'line1', 'factory', {0}, '2026-11-23 10:46:09+00', 'WH/MO/0000{0}', 'WH/MO/0000{0}', {0}, id, '{1}', 100, {2}, 3 from l returning id), "
        "c as (insert into mo_batch_consumption (batch_id, line, silo, planned, actual) select id, 'line1', 101, 100, {3} from b) select id from b",
        n, s.state, s.manufactured, s.actual));
    if (!s.finish.empty() || s.accepted) {
        const auto kind = s.finish.empty() ? "consumption" : "finish";
        const auto outbox = sql(fmt::format("insert into odoo_outbox (line, odoo_db, odoo_id, mo_id, batch_id, kind, version, state, next_at, tries) values "
                                            "('line1', 'factory', {}, 'x', {}, '{}', 3, '{}', now() + interval '1 hour', 4) returning id",
                                            n, id, kind, s.finish.empty() ? "sent" : s.finish));
        if (s.accepted)
            sql(fmt::format("insert into odoo_attempt (line, outbox_id, odoo_db, odoo_id, batch_id, version, call, \"values\", epoch, ended_at, outcome) values "
                            "('line1', {}, 'factory', {}, {}, 3, 'write', '{{}}', 1, now(), 'ok')",
                            outbox, n, id));
    }
    service->find_line("line1")->rows_changed();
    return std::stoll(id);
}

}  // namespace batchbridge::tests
