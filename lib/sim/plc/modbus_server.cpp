#include "sim/plc/modbus_server.hpp"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>
#include <modbus/modbus.h>

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

namespace batchbridge::sim {

namespace {

using clock = std::chrono::steady_clock;

// The header of a Modbus TCP request: transaction, protocol, length, unit; then function, address, count or value.
constexpr int header_length = 7, unit_at = 6;
constexpr int exception_length = 9;
constexpr auto longest_wait = std::chrono::milliseconds(20);
// What a frame of another request or device shows more than the true one: less than any max_step_kg.
const core::decimal foreign_kg = 10;

int word_at(const std::vector<std::uint8_t>& q, std::size_t at)
{
    return (q[at] << 8) | q[at + 1];
}

struct free_context {
    void operator()(modbus_t* c) const noexcept { modbus_free(c); }
};

// libmodbus's view of a connection we accepted; the descriptor stays ours.
std::unique_ptr<modbus_t, free_context> context_for(int fd)
{
    std::unique_ptr<modbus_t, free_context> c(modbus_new_tcp("127.0.0.1", 502));
    modbus_set_socket(c.get(), fd);
    return c;
}

// The client has closed its side, whatever it sent before that.
bool peer_gone(int fd)
{
    pollfd p{fd, POLLRDHUP, 0};
    return ::poll(&p, 1, 0) > 0 && (p.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

std::int64_t wall_ns()
{
    return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace

modbus_server::modbus_server(plc_model& model, const std::string& host, std::uint16_t port, const std::string& log) : model_(model), host_(host), port_(port)
{
    if (!log.empty()) {
        log_.open(log, std::ios::app);
        if (!log_) throw std::runtime_error("cannot write the log " + log);
    }
    listen();
    server_ = std::thread([this] { serve(); });
    scanner_ = std::thread([this] { scan(); });
}

modbus_server::~modbus_server()
{
    stop_ = true;
    server_.join();
    scanner_.join();
    for (const auto& c : clients_) ::close(c.fd);
    ::close(listener_);
}

// Binds again to the same port after a time of refusing; a bound socket that does not listen refuses and keeps the port.
void modbus_server::listen()
{
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
    addrinfo* found = nullptr;
    if (::getaddrinfo(host_.c_str(), std::to_string(port_).c_str(), &hints, &found) != 0) throw std::runtime_error("no address: " + host_);
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> address(found, &::freeaddrinfo);
    if (listener_ >= 0) ::close(listener_);
    listener_ = ::socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const int on = 1;
    ::setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (::bind(listener_, address->ai_addr, address->ai_addrlen) != 0 || (!refuse_until_ && ::listen(listener_, 64) != 0))
        throw std::runtime_error(fmt::format("cannot listen on {}:{}: {}", host_, port_, std::strerror(errno)));
    listening_ = !refuse_until_;
    sockaddr_storage bound{};
    socklen_t size = sizeof bound;
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&bound), &size);
    port_ = ntohs(bound.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6*>(&bound)->sin6_port : reinterpret_cast<sockaddr_in*>(&bound)->sin_port);
}

// What the faults of connections want, done by the thread that owns the connections.
void modbus_server::follow_connection_faults()
{
    std::optional<std::chrono::milliseconds> reboot;
    {
        const std::lock_guard lock(fault_guard_);
        reboot = std::exchange(reboot_, std::nullopt);
        if (reboot && reboot->count() > 0) refuse_until_ = clock::now() + *reboot;
        if (std::exchange(leave_all_, false))
            for (auto& c : clients_) c.left = true;
    }
    if (reboot) {
        const std::lock_guard lock(guard_);
        model_.reboot();
        while (!clients_.empty()) reset_client(clients_.front().fd);
    }
    const std::lock_guard lock(fault_guard_);
    if (refuse_until_ && clock::now() >= *refuse_until_) refuse_until_.reset();
    if (refuse_until_ && listening_) {
        for (const auto& c : clients_) ::close(c.fd);
        clients_.clear();
        listen();
    } else if (!refuse_until_ && !listening_) {
        ::listen(listener_, 64);
        listening_ = true;
    }
}

void modbus_server::set_fault(plc_fault f)
{
    const std::lock_guard lock(fault_guard_);
    if (f.kind == "refuse") refuse_until_ = f.delay.count() > 0 ? clock::now() + f.delay : clock::time_point::max();
    else if (f.kind == "half_open") leave_all_ = true;
    else if (f.kind == "one_connection") one_connection_ = true;
    else if (f.kind == "slow_accept") accept_delay_ = f.delay;
    else if (f.kind == "reboot") reboot_ = f.delay;
    else faults_.push_back(std::move(f));
}

void modbus_server::clear_faults()
{
    const std::lock_guard lock(fault_guard_);
    faults_.clear();
    refuse_until_.reset();
    one_connection_ = false;
    accept_delay_ = {};
    ++cleared_;
}

// The first fault that fits the request. The caller holds `guard_`.
std::optional<plc_fault> modbus_server::next_fault(int function, int address, int count)
{
    const std::lock_guard lock(fault_guard_);
    const auto fits = [&](const plc_fault& f) {
        if (f.function != 0 && f.function != function) return false;
        if (f.address >= 0 && (f.address < address || f.address >= address + count)) return false;
        if (f.kind != "torn_slot") return true;
        const int from = model_.map().read_address(f.slot);
        return function == MODBUS_FC_READ_HOLDING_REGISTERS && address <= from && address + count >= from + model_.map().slots.words && can_tear(f.slot);
    };
    const auto it = std::find_if(faults_.begin(), faults_.end(), fits);
    if (it == faults_.end()) return std::nullopt;
    const auto f = *it;
    if (it->count > 0 && --it->count == 0) faults_.erase(it);
    return f;
}

bool modbus_server::can_tear(int slot)
{
    return domain::decode_slot(model_.map(), model_.read_slot(slot)).any_actual();
}

// The silo dosed last gets a high word that does not belong to its low word.
void modbus_server::tear(int slot)
{
    auto block = model_.read_slot(slot);
    const auto shown = domain::decode_slot(model_.map(), block);
    const domain::silo* last = nullptr;
    for (const auto& s : model_.map().silos)
        if (shown.quantities.at(s.id) > 0) last = &s;
    if (last == nullptr || last->quantity.words != 2) return;
    const auto by = core::decimal::divide(65536, last->quantity.scale, 4);
    const auto now = shown.quantities.at(last->id);
    domain::encode_value(model_.map(), last->quantity, now >= by ? now - by : now + by, block);
}

// Every quantity that is not 0 in the READ slots which the request covers, as another device might show it.
void modbus_server::change_quantities(const std::vector<std::uint8_t>& query)
{
    if (query[header_length] != MODBUS_FC_READ_HOLDING_REGISTERS) return;
    const int address = word_at(query, header_length + 1), count = word_at(query, header_length + 3);
    const auto& map = model_.map();
    for (int slot = 1; slot <= map.slots.count; ++slot) {
        const int from = map.read_address(slot);
        if (address > from || address + count < from + map.slots.words) continue;
        auto block = model_.read_slot(slot);
        const auto shown = domain::decode_slot(map, block);
        for (const auto& s : map.silos)
            if (const auto kg = shown.quantities.at(s.id); kg > 0) domain::encode_value(map, s.quantity, kg + foreign_kg, block);
    }
}

void modbus_server::log_event(const plc_event& e)
{
    const std::lock_guard lock(log_guard_);
    if (!log_.is_open()) return;
    boost::json::object o;
    o["ns"] = clock::now().time_since_epoch().count();
    o["wall_ns"] = wall_ns();
    o["event"] = e.kind;
    o["text"] = e.text;
    if (e.slot > 0) o["slot"] = e.slot;
    if (!e.order.empty()) o["order"] = e.order;
    if (e.kind == "finished" || e.kind == "failed") {
        boost::json::object actual;
        for (const auto& [silo, kg] : e.actual)
            if (!kg.is_zero()) actual[std::to_string(silo)] = kg.to_string(2);
        o["actual"] = std::move(actual);
        o["weight"] = e.weight.to_string(2);
    }
    log_ << boost::json::serialize(o) << '\n' << std::flush;
}

void modbus_server::log_request(int unit, int function, int address, int count, const char* result)
{
    const std::lock_guard lock(log_guard_);
    if (!log_.is_open()) return;
    log_ << fmt::format(R"({{"ns":{},"wall_ns":{},"unit":{},"function":{},"address":{},"count":{},"result":"{}"}})", clock::now().time_since_epoch().count(), wall_ns(), unit,
                        function, address, count, result)
         << '\n'
         << std::flush;
}

void modbus_server::close_client(int fd)
{
    ::close(fd);
    std::erase_if(clients_, [fd](const client& c) { return c.fd == fd; });
}

void modbus_server::reset_client(int fd)
{
    const linger now{1, 0};
    ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close_client(fd);
}

// The connections that are not served are not read either: their end is looked for.
void modbus_server::close_ended()
{
    std::vector<int> ended;
    for (const auto& c : clients_)
        if (c.left && peer_gone(c.fd)) ended.push_back(c.fd);
    for (const int fd : ended) close_client(fd);
}

bool modbus_server::pause(std::chrono::milliseconds time, int fd)
{
    const auto until = clock::now() + time;
    const auto cleared = cleared_.load();
    while (clock::now() < until) {
        if (cleared != cleared_ || stop_ || peer_gone(fd)) return false;
        std::this_thread::sleep_for(std::min<clock::duration>(longest_wait, until - clock::now()));
    }
    return true;
}

void modbus_server::handle(client& c, std::vector<std::uint8_t>& query, int length)
{
    ++requests_;
    const int function = query[header_length], unit = query[unit_at];
    const int address = length >= header_length + 3 ? word_at(query, header_length + 1) : 0;
    const int count = length >= header_length + 5 && function != MODBUS_FC_WRITE_SINGLE_REGISTER ? word_at(query, header_length + 3) : 1;
    if (c.owed) ++overlapping_;
    c.owed = true;
    std::optional<plc_fault> fault;
    {
        const std::lock_guard lock(guard_);
        fault = next_fault(function, address, count);
    }
    const std::string kind = fault ? fault->kind : "";
    const auto log = [&](const char* result) { log_request(unit, function, address, count, result); };
    if (kind == "hang" || kind == "silence") return log("hang");
    if (kind == "reset") {
        log("reset");
        return reset_client(c.fd);
    }
    if (kind == "exception") {
        log("exception");
        note_answering(c);
        modbus_reply_exception(context_for(c.fd).get(), query.data(), static_cast<unsigned>(fault->code));
        return;
    }
    if (kind == "drop_after") {
        {
            const std::lock_guard lock(guard_);
            make_answer(query, length);
            note_written();
        }
        log("drop_after");
        return close_client(c.fd);
    }
    if (kind == "delay") pause(fault->delay, c.fd);
    const char* result = kind == "torn_slot" || is_answer_fault(kind) ? answer_spoiled(c, query, length, *fault) : answer(c, query, length);
    log(kind.empty() ? result : kind.c_str());
}

// Right before an answer is sent: nothing else may have been asked on this connection meanwhile.
void modbus_server::note_answering(client& c)
{
    char byte;
    if (::recv(c.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0) ++overlapping_;
    c.owed = false;
}

const char* modbus_server::answer(client& c, const std::vector<std::uint8_t>& query, int length)
{
    auto context = context_for(c.fd);
    note_answering(c);
    const std::lock_guard lock(guard_);
    modbus_mapping_t mapping{};
    mapping.nb_registers = static_cast<int>(model_.registers().size());
    mapping.tab_registers = model_.registers().data();
    const int n = modbus_reply(context.get(), query.data(), length, &mapping);
    note_written();
    return n == exception_length ? "refused" : n < 0 ? "not sent" : "ok";
}

// What a request did to the registers is told now and not at the next scan: the time of an acknowledgement is compared
// with that of a commit. The caller holds `guard_`.
void modbus_server::note_written()
{
    model_.written();
    for (const auto& e : model_.take_events()) log_event(e);
}

// Executes the request; the bytes of its answer. The caller holds `guard_`.
wire_bytes modbus_server::make_answer(const std::vector<std::uint8_t>& query, int length)
{
    int pair[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) return {};
    wire_bytes out(MODBUS_TCP_MAX_ADU_LENGTH);
    auto context = context_for(pair[0]);
    modbus_mapping_t mapping{};
    mapping.nb_registers = static_cast<int>(model_.registers().size());
    mapping.tab_registers = model_.registers().data();
    modbus_reply(context.get(), query.data(), length, &mapping);
    const auto n = ::recv(pair[1], out.data(), out.size(), MSG_DONTWAIT);
    out.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
    ::close(pair[0]);
    ::close(pair[1]);
    return out;
}

const char* modbus_server::answer_spoiled(client& c, const std::vector<std::uint8_t>& query, int length, const plc_fault& fault)
{
    // What a frame shows that is not the truth stands in the registers only while that frame is made.
    const auto made_with = [&](auto change) {
        const auto kept = model_.registers();
        change();
        auto out = make_answer(query, length);
        model_.registers() = kept;
        return out;
    };
    std::unique_lock lock(guard_);
    std::vector<piece> pieces;
    if (fault.kind == "torn_slot") {
        pieces.push_back({std::chrono::milliseconds(0), made_with([&] { tear(fault.slot); })});
    } else {
        const auto foreign = made_with([&] { change_quantities(query); });
        pieces = spoil_answer(fault, make_answer(query, length), foreign);
        note_written();
    }
    lock.unlock();
    note_answering(c);
    for (const auto& p : pieces) {
        if (p.pause.count() > 0) pause(p.pause, c.fd);
        if (peer_gone(c.fd) || ::send(c.fd, p.data.data(), p.data.size(), MSG_NOSIGNAL) < 0) return "not sent";
    }
    return "ok";
}

void modbus_server::scan()
{
    auto next = clock::now();
    while (!stop_) {
        std::this_thread::sleep_until(std::min(next, clock::now() + longest_wait));
        const auto now = clock::now();
        if (now < next) continue;
        next = std::max(next + model_.scan(), now);
        std::vector<plc_event> events;
        {
            const std::lock_guard lock(guard_);
            model_.tick(now);
            events = model_.take_events();
        }
        for (const auto& e : events) log_event(e);
    }
}

// slow_accept: a connection that waits is taken when its time has come.
bool modbus_server::may_accept()
{
    const std::lock_guard lock(fault_guard_);
    if (accept_delay_.count() == 0) accept_from_.reset();
    else if (!accept_from_) accept_from_ = clock::now() + accept_delay_;
    if (accept_from_ && clock::now() < *accept_from_) return false;
    accept_from_.reset();
    return true;
}

void modbus_server::accept()
{
    if (!may_accept()) return;
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) return;
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    const auto open = static_cast<int>(std::count_if(clients_.begin(), clients_.end(), [](const client& c) { return !peer_gone(c.fd); }));
    clients_.push_back({fd});
    bool limited = false;
    {
        const std::lock_guard lock(fault_guard_);
        limited = one_connection_;
    }
    if (!peer_gone(fd)) most_connections_ = std::max(most_connections_.load(), open + 1);
    if (limited && open > 0) {
        ++refused_;
        return reset_client(fd);
    }
    ++connections_;
}

void modbus_server::serve()
{
    std::vector<std::uint8_t> query(MODBUS_TCP_MAX_ADU_LENGTH);
    while (!stop_) {
        follow_connection_faults();
        close_ended();
        std::vector<pollfd> waits;
        for (const auto& c : clients_)
            if (!c.left) waits.push_back({c.fd, POLLIN, 0});
        // While a connection is kept waiting the listener is always ready: it is looked at with each turn instead.
        const bool kept_waiting = accept_from_ && clock::now() < *accept_from_;
        if (listening_ && !kept_waiting) waits.push_back({listener_, POLLIN, 0});
        if (::poll(waits.data(), waits.size(), static_cast<int>(longest_wait.count())) <= 0) continue;
        for (const auto& w : waits) {
            if (w.revents == 0) continue;
            if (w.fd == listener_) {
                accept();
                continue;
            }
            const auto c = std::find_if(clients_.begin(), clients_.end(), [&](const client& x) { return x.fd == w.fd; });
            if (c == clients_.end()) continue;
            const int n = modbus_receive(context_for(w.fd).get(), query.data());
            if (n > header_length) handle(*c, query, n);
            else if (n < 0) close_client(w.fd);
        }
    }
}

}  // namespace batchbridge::sim
