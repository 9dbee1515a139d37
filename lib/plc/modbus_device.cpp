#include "plc/modbus_device.hpp"

#include "core/crash_point.hpp"
#include "core/log.hpp"
#include "domain/failure_event.hpp"
#include "domain/plant_map_validate.hpp"
#include "domain/slot_observer.hpp"
#include "domain/slot_parts.hpp"
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

constexpr int failure_tries = 3;
constexpr int guarded_tries = 3;
constexpr int smaller_read = 32;   // registers that every PLC of the field's reports gave in one request
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
        : map_(std::move(map)), plan_(std::make_shared<const domain::read_plan>(domain::plan_slot_read(map_))), borders_(map_), link_(std::move(executor), options_of(line, map_)), may_(std::move(may)), patience_(line.timeout)
    {
    }

    const std::string& name() const override { return link_.name(); }
    bool connected() const override { return link_.connected(); }
    unsigned connections() const override { return link_.losses(); }
    std::uint64_t wrong_answers() const override { return link_.wrong_answers(); }
    std::uint64_t answers() const override { return unanswered_.answers(); }
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
        std::optional<error> refused;
        try {
            auto image = co_await read_whole(a, slot);
            co_return image;
        } catch (const error& e) {
            if (!may_be_too_large(e)) throw;
            refused = e;
        }
        auto image = co_await read_in_smaller_parts(a, slot);
        if (image.empty()) throw error(*refused);
        co_return image;
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
        domain::slot_observer observer(map_, stored);
        auto step = domain::slot_observer::step::again;
        while (step == domain::slot_observer::step::again) {
            auto image = co_await read_slot(area::read, slot);
            step = observer.add(std::move(image));
        }
        if (step == domain::slot_observer::step::inconsistent) {
            o.what = observation::kind::inconsistent;
            co_return o;
        }
        if (step == domain::slot_observer::step::accepted) o.what = observation::kind::accepted;
        o.image = observer.image();
        co_return o;
    }

    asio::awaitable<words> read_registers(int address, int count) override { co_return co_await read(address, count); }

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
        // comes first and the name whole (the map's validation sees to it that it fits), so that the PLC never takes half a
        // name, and takes the load once.
        const auto& id = map_.fields.mo_id;
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

    asio::awaitable<observation> observe_failure(const words& stored) override
    {
        observation o;
        auto first = co_await read_failure();
        if (domain::same_block(map_, first, stored)) {
            o.image = std::move(first);
            co_return o;
        }
        for (int i = 0; i < failure_tries; ++i) {
            auto second = co_await read_failure();
            if (domain::same_block(map_, first, second)) {
                o.what = observation::kind::accepted;
                o.image = std::move(second);
                co_return o;
            }
            first = std::move(second);
        }
        o.what = observation::kind::inconsistent;
        co_return o;
    }

    asio::awaitable<failure_answer> acknowledge_failure(const words& image) override
    {
        failure_answer out;
        out.image = co_await read_failure();
        if (!domain::same_failure(map_, out.image, image) || domain::failure_flag(map_, out.image) != 0) {
            out.what = failure_answer::kind::moved_on;
            co_return out;
        }
        co_await write_flag(map_.failure.start + map_.failure.flag.at, 1);
        out.image = co_await read_failure();
        if (!domain::same_failure(map_, out.image, image)) out.what = failure_answer::kind::overwritten;
        else if (domain::failure_flag(map_, out.image) == 1) out.what = failure_answer::kind::kept;
        co_return out;
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

    asio::awaitable<words> read_failure() { co_return co_await read(map_.failure.start, domain::failure_words(map_)); }

    // One request, or as the plan has it.
    asio::awaitable<words> read_whole(area a, int slot)
    {
        const int address = a == area::read ? map_.read_address(slot) : map_.write_address(slot);
        const auto plan = plan_;
        if (!plan->guarded()) {
            auto image = co_await read(address, map_.slots.words);
            co_return image;
        }
        for (int i = 0; i < guarded_tries; ++i) {
            auto image = co_await read_guarded(address, *plan);
            if (!image.empty()) co_return image;
        }
        throw error(core::error_kind::rejected, fmt::format("read {} slot {} in {} parts", a == area::read ? "READ" : "WRITE", slot, plan->parts.size()), name(),
                    fmt::format("its order or status changed between the parts, {} times in a row (does the PLC allow larger reads? see limits.max_read)", guarded_tries));
    }

    // Some PLCs answer a request for more registers than they like with the exception for a wrong address or value.
    bool may_be_too_large(const error& e) const
    {
        const bool about_size = e.kind() == core::error_kind::rejected && (e.peer_code() == "2" || e.peer_code() == "3");
        return about_size && tried_smaller_ != link_.losses() && std::min(map_.slots.words, map_.limits.max_read) > smaller_read;
    }

    void limit_reads(int most)
    {
        map_.limits.max_read = most;
        plan_ = std::make_shared<const domain::read_plan>(domain::plan_slot_read(map_));
    }

    // Once per connection, as a PLC that boots may refuse everything. When that is what the PLC wanted it stays so, and the log says it. Empty: it was not that.
    asio::awaitable<words> read_in_smaller_parts(area a, int slot)
    {
        const int given = map_.limits.max_read;
        words image;
        tried_smaller_ = link_.losses();
        limit_reads(smaller_read);
        bool helped = domain::request_limit_faults(map_).empty();
        try {
            if (helped) image = co_await read_whole(a, slot);
        } catch (const error& e) {
            limit_reads(given);
            if (e.kind() == core::error_kind::rejected) co_return words();
            tried_smaller_ = 0;
            throw;
        }
        limit_reads(given);
        if (!helped) co_return words();
        // Once more as the map says: what was refused for a moment only is not too large.
        try {
            image = co_await read_whole(a, slot);
            co_return image;
        } catch (const error& e) {
            if (e.kind() != core::error_kind::rejected) {
                tried_smaller_ = 0;
                throw;
            }
        }
        limit_reads(smaller_read);
        core::log::warning({}, "{} refuses reads of {} registers and answers smaller ones: slots are read in {} parts of at most {} from now on. Set limits.max_read in the plant map", name(),
                           std::min(map_.slots.words, given), plan_->parts.size(), smaller_read);
        co_return image;
    }

    // A slot in parts with its keys around it (domain::read_plan). Empty: the keys changed meanwhile.
    asio::awaitable<words> read_guarded(int address, const domain::read_plan& plan)
    {
        words image(static_cast<std::size_t>(map_.slots.words), 0);
        std::vector<words> before, after;
        for (const auto& p : plan.before) before.push_back(co_await read(address + p.at, p.count));
        for (const auto& p : plan.parts) {
            const auto part = co_await read(address + p.at, p.count);
            std::copy(part.begin(), part.end(), image.begin() + p.at);
        }
        for (const auto& p : plan.after) after.push_back(co_await read(address + p.at, p.count));
        if (!domain::same_keys(map_, plan, before, image, after)) image.clear();
        co_return image;
    }

    // One request when it fits; else several, cut only between values.
    asio::awaitable<words> read(int address, int count)
    {
        words out;
        const auto parts = borders_.split(address, count, map_.limits.max_read);
        for (const auto& p : parts) {
            const auto part = co_await read_part(p.at, p.count);
            out.insert(out.end(), part.begin(), part.end());
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
        const auto parts = borders_.split(address, static_cast<int>(values.size()), map_.limits.max_write);
        for (const auto& p : parts) {
            const auto from = values.begin() + (p.at - address);
            words part(from, from + p.count);
            try {
                BATCHBRIDGE_CRASH_POINT("plc.writing");
                co_await link_.write(p.at, std::move(part), may_);
                BATCHBRIDGE_CRASH_POINT("plc.written");
                unanswered_.answered(write_function, p.at);
            } catch (const modbus::error& e) {
                note_failed(e, write_function, p.at);
                translate(e);
            }
        }
    }

    asio::awaitable<void> write_flag(int address, std::uint16_t value)
    {
        try {
            BATCHBRIDGE_CRASH_POINT("plc.flag_writing");
            co_await link_.write_single(address, value, may_);
            BATCHBRIDGE_CRASH_POINT("plc.flag_written");
            unanswered_.answered(write_single_function, address);
        } catch (const modbus::error& e) {
            note_failed(e, write_single_function, address);
            translate(e);
        }
    }

    domain::plant_map map_;
    // Shared, since a read in progress goes on by the plan it began with.
    std::shared_ptr<const domain::read_plan> plan_;
    domain::value_borders borders_;
    modbus::link link_;
    unsigned tried_smaller_ = 0;   // losses() when it was tried last; 0: not yet
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
