#include "plc/modbus_device.hpp"

#include "modbus/link.hpp"
#include "plc/unanswered.hpp"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace batchbridge::plc {

namespace asio = boost::asio;
using domain::words;

namespace {

using clock = std::chrono::steady_clock;

constexpr int observe_tries = 3;
constexpr auto busy_pause = std::chrono::milliseconds(100);
constexpr int read_function = 3, write_single_function = 6, write_function = 16;

// Modbus exception codes (Application Protocol V1.1b3, section 7).
bool says_busy(const modbus::error& e)
{
    return e.kind() == core::error_kind::rejected && (e.peer_code() == "5" || e.peer_code() == "6");
}

bool says_gateway(const modbus::error& e)
{
    return e.kind() == core::error_kind::rejected && (e.peer_code() == "10" || e.peer_code() == "11");
}

modbus::link_options options_of(const core::line_config& line, const domain::plant_map& map)
{
    modbus::link_options o(line.host, line.port, line.unit_id);
    o.timeout = line.timeout;
    o.pause_after_connect = map.quirk.pause_after_connect;
    o.pause_between_requests = map.quirk.pause_between_requests;
    o.second_host = map.quirk.second_host.value_or("");
    return o;
}

class modbus_device final : public device {
public:
    modbus_device(asio::any_io_executor executor, const core::line_config& line, domain::plant_map map, write_permission may)
        : map_(std::move(map)), link_(std::move(executor), options_of(line, map_)), may_(std::move(may)), patience_(line.timeout)
    {
    }

    const std::string& name() const override { return link_.name(); }
    bool connected() const override { return link_.connected(); }
    unsigned connections() const override { return link_.connections(); }
    std::uint64_t wrong_answers() const override { return link_.wrong_answers(); }
    bool settled() override { return unanswered_.empty(clock::now()); }
    void interrupt() noexcept override { link_.interrupt(); }

    asio::awaitable<void> connect() override
    {
        try {
            co_await link_.connect();
        } catch (const modbus::error& e) {
            translate(e);
        }
    }

    asio::awaitable<void> end_cycle() override
    {
        if (map_.quirk.close_after_cycle) co_await link_.disconnect();
    }

    asio::awaitable<words> read_slot(area a, int slot) override
    {
        co_return co_await read(a == area::read ? map_.read_address(slot) : map_.write_address(slot), map_.slots.words);
    }

    asio::awaitable<std::vector<words>> read_all(area a) override
    {
        std::vector<words> out;
        for (int slot = 1; slot <= map_.slots.count; ++slot) out.push_back(co_await read_slot(a, slot));
        co_return out;
    }

    asio::awaitable<observation> observe(int slot, const words& stored) override
    {
        observation o;
        auto first = co_await read_slot(area::read, slot);
        if (first == stored) {
            o.image = std::move(first);
            co_return o;
        }
        for (int i = 0; i < observe_tries; ++i) {
            auto second = co_await read_slot(area::read, slot);
            if (domain::compare_reads(map_, first, second) != domain::consistency::inconsistent) {
                o.what = observation::kind::accepted;
                o.image = std::move(second);
                co_return o;
            }
            first = std::move(second);
        }
        o.what = observation::kind::inconsistent;
        co_return o;
    }

    asio::awaitable<std::uint16_t> read_ready() override
    {
        const auto w = co_await read(map_.write_ready, 1);
        co_return w.front();
    }

    asio::awaitable<void> write_disarmed(const std::vector<words>& images) override
    {
        check("load", images);
        co_await write(map_.write_address(1) + map_.fields.mo_id.at, blank_name());
        // Slot 1 last (L-19): until it is written nothing is complete.
        for (int slot = map_.slots.count; slot >= 1; --slot) {
            auto image = images[static_cast<std::size_t>(slot - 1)];
            if (slot == 1) {
                blank(image);
                // The ready word stays as the PLC left it.
                image.resize(static_cast<std::size_t>(map_.fields.status_read_data.at));
            }
            co_await write(map_.write_address(slot), std::move(image));
        }
    }

    asio::awaitable<std::vector<std::string>> verify(const std::vector<words>& images) override
    {
        check("verify", images);
        std::vector<std::string> out;
        for (int slot = 1; slot <= map_.slots.count; ++slot) {
            const auto found = co_await read_slot(area::write, slot);
            auto wrong = domain::compare_written(map_, slot, images[static_cast<std::size_t>(slot - 1)], found, slot == 1);
            out.insert(out.end(), wrong.begin(), wrong.end());
        }
        co_return out;
    }

    asio::awaitable<void> arm(const words& slot1) override
    {
        auto image = slot1;
        const auto flag = static_cast<std::size_t>(map_.fields.status_read_data.at);
        image.at(flag) = 0;
        if (image.size() <= static_cast<std::size_t>(map_.limits.max_write)) {
            co_await write(map_.write_address(1), std::move(image));
            co_return;
        }
        // Too wide for one request: the rest of the slot stands there already, so only what arms it is written. The flag
        // comes first and the name whole, so that the PLC never takes half a name, and takes the load once.
        const auto& id = map_.fields.mo_id;
        if (id.words > map_.limits.max_write) throw error(core::error_kind::internal, "arm", name(), "limits.max_write is smaller than the order name");
        words name_words(image.begin() + id.at, image.begin() + id.at + id.words);
        co_await write_flag(map_.write_address(1) + map_.fields.status_read_data.at, 0);
        co_await write(map_.write_address(1) + id.at, std::move(name_words));
    }

    asio::awaitable<void> disarm(int slot) override
    {
        const int address = map_.write_address(slot) + map_.fields.mo_id.at;
        co_await write(address, blank_name());
        const auto back = co_await read(address, map_.fields.mo_id.words);
        if (back != blank_name()) throw error(core::error_kind::rejected, fmt::format("disarm slot {}", slot), name(), "the order name is still there after blanking it");
    }

    asio::awaitable<void> clear_recipes() override
    {
        const auto flag = map_.fields.status_read_data.at;
        co_await write(map_.write_address(1) + map_.fields.mo_id.at, blank_name());
        for (int slot = map_.slots.count; slot >= 1; --slot) {
            // Up to the flag: slot 1's is the ready word, which falls only when something is offered.
            co_await write(map_.write_address(slot), words(static_cast<std::size_t>(flag), 0));
            co_await write_flag(map_.write_address(slot) + flag, 1);
        }
    }

    asio::awaitable<bool> acknowledge(int slot) override
    {
        const int address = map_.read_address(slot) + map_.fields.status_read_data.at;
        co_await write_flag(address, 1);
        const auto back = co_await read(address, 1);
        co_return back.front() == 1;
    }

private:
    [[noreturn]] static void translate(const modbus::error& e)
    {
        if (says_gateway(e)) throw error(core::error_kind::unavailable, e.operation(), e.target(), "the gateway answers, the PLC behind it does not: " + e.reason(), e.peer_code());
        throw error(e.kind(), e.operation(), e.target(), e.reason(), e.peer_code());
    }

    // For the question whether the PLC is back. A connection that is not made is not about a request.
    void note_failed(const modbus::error& e, int function, int address)
    {
        const bool answer = e.kind() == core::error_kind::rejected && !says_gateway(e);
        const bool silence = e.kind() != core::error_kind::cancelled && e.kind() != core::error_kind::internal && e.operation() != "connect";
        if (answer) unanswered_.answered(function, address);
        else if (silence) unanswered_.failed(function, address, clock::now());
    }

    // One complete image per slot, else the load must not begin.
    void check(const std::string& operation, const std::vector<words>& images) const
    {
        const auto complete = [this](const words& w) { return w.size() == static_cast<std::size_t>(map_.slots.words); };
        if (images.size() != static_cast<std::size_t>(map_.slots.count) || !std::all_of(images.begin(), images.end(), complete))
            throw error(core::error_kind::internal, operation, name(), fmt::format("{} images of {} words are needed", map_.slots.count, map_.slots.words));
    }

    words blank_name() const { return words(static_cast<std::size_t>(map_.fields.mo_id.words), 0); }

    void blank(words& image) const
    {
        std::fill_n(image.begin() + map_.fields.mo_id.at, map_.fields.mo_id.words, std::uint16_t{0});
    }

    // One request when it fits, as the consistency rule wants it; a wider slot takes several.
    asio::awaitable<words> read(int address, int count)
    {
        words out;
        while (count > 0) {
            const int n = std::min(count, map_.limits.max_read);
            const auto part = co_await read_part(address, n);
            out.insert(out.end(), part.begin(), part.end());
            address += n;
            count -= n;
        }
        co_return out;
    }

    // Asks again while the PLC says that it is busy.
    asio::awaitable<words> read_part(int address, int count)
    {
        const auto until = clock::now() + patience_;
        for (;;) {
            try {
                auto part = co_await link_.read(address, count);
                unanswered_.answered(read_function, address);
                co_return part;
            } catch (const modbus::error& e) {
                if (!says_busy(e)) {
                    note_failed(e, read_function, address);
                    translate(e);
                }
                if (clock::now() + busy_pause >= until) {
                    unanswered_.failed(read_function, address, clock::now());
                    throw error(core::error_kind::unavailable, e.operation(), e.target(), fmt::format("the PLC is busy for {}: {}", core::to_string(patience_), e.reason()), e.peer_code());
                }
            }
            const auto executor = co_await asio::this_coro::executor;
            asio::steady_timer pause(executor, busy_pause);
            co_await pause.async_wait(asio::use_awaitable);
        }
    }

    asio::awaitable<void> write(int address, words values)
    {
        for (std::size_t done = 0; done < values.size();) {
            const auto n = std::min(values.size() - done, static_cast<std::size_t>(map_.limits.max_write));
            words part(values.begin() + static_cast<std::ptrdiff_t>(done), values.begin() + static_cast<std::ptrdiff_t>(done + n));
            const int at = address + static_cast<int>(done);
            try {
                co_await link_.write(at, std::move(part), may_);
                unanswered_.answered(write_function, at);
            } catch (const modbus::error& e) {
                note_failed(e, write_function, at);
                translate(e);
            }
            done += n;
        }
    }

    asio::awaitable<void> write_flag(int address, std::uint16_t value)
    {
        try {
            co_await link_.write_single(address, value, may_);
            unanswered_.answered(write_single_function, address);
        } catch (const modbus::error& e) {
            note_failed(e, write_single_function, address);
            translate(e);
        }
    }

    domain::plant_map map_;
    modbus::link link_;
    write_permission may_;
    core::duration patience_;
    unanswered unanswered_;
};

}  // namespace

std::unique_ptr<device> make_modbus_device(asio::any_io_executor executor, const core::line_config& line, domain::plant_map map, device::write_permission may_write)
{
    return std::make_unique<modbus_device>(std::move(executor), line, std::move(map), std::move(may_write));
}

}  // namespace batchbridge::plc
