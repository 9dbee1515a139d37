// The same random slot histories as tests/unit/domain/slot_history_test.cpp, through the real read cycle and PostgreSQL: so
// that the SQL of a cycle, and what the cycle adds to the rules, are held to the same model.
#include "read_bench.hpp"

#include "support/catch.hpp"
#include "support/slot_history.hpp"

#include <fmt/format.h>

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <iostream>

using namespace batchbridge;
using bb_test::history_slot;
using std::chrono::steady_clock;
using namespace std::chrono_literals;
using tests::read_bench;

namespace {

// Silent from here on: thousands of alerts are the normal case of this test.
class silence {
public:
    silence()
    {
        std::cout.flush();
        std::fflush(stdout);
        saved_ = ::dup(1);
        const int null = ::open("/dev/null", O_WRONLY);
        ::dup2(null, 1);
        ::close(null);
    }
    ~silence()
    {
        std::fflush(stdout);
        ::dup2(saved_, 1);
        ::close(saved_);
    }

private:
    int saved_ = -1;
};

int hundredths(const core::decimal& kg)
{
    return static_cast<int>(kg.to_scaled(2).value());
}

std::array<int, bb_test::silo_count> by_place(const domain::silo_kg& kg)
{
    std::array<int, bb_test::silo_count> out{};
    for (const auto& [silo, amount] : kg) out.at(static_cast<std::size_t>(silo - 101)) = hundredths(amount);
    return out;
}

class stored_bridge final : public bb_test::bridge {
public:
    explicit stored_bridge(read_bench& p) : p_(p)
    {
        bb_test::sql(p_.uri, "set client_min_messages = warning; truncate mo_batch, plc_load, mo_histories, odoo_outbox, plc_duty, order_refusal, journal, alert, task_run, setting restart identity cascade");
        // A held batch in another slot keeps the cycle going when the batch of the history has ended, as other batches would.
        bb_test::sql(p_.uri, "with l as (insert into plc_load (line, number, state, images) values ('line1', 1, 'taken', '{}') returning id) insert into mo_batch (line, odoo_db, odoo_id, odoo_create_date, mo_id, order_key, "
                             "batch_no, load, state, quantity_goods) select 'line1', 'mill', 1000000, now(), 'WH/MO/KEEP', 'WH/MO/KEEP', 9, id, 'held', 1 from l");
        restart();
        // The history is lived in one slot, the others are empty.
        p_.device->on_read = [this](int slot) {
            if (slot != history_slot) return domain::words(bb_test::slot_words, 0);
            try {
                return plc->read();
            } catch (const bb_test::no_answer&) {
                throw plc::error(core::error_kind::timeout, "read", "plc", "no answer");
            }
        };
        // Only what is owed is acknowledged, and only in its own slot.
        p_.device->on_acknowledge = [this](int slot) {
            const auto order = plc->truth().order;
            if (slot != history_slot || p_.count(fmt::format("plc_duty where done_at is null and slot = {} and mo_id = '{}'", slot, order)) != 1)
                throw std::logic_error(fmt::format("acknowledged without a duty: slot {} {}", slot, order));
            if (!plc->acknowledge(order)) throw plc::error(core::error_kind::timeout, "write", "plc", "no answer");
            return true;
        };
    }

    void stage(const std::string& order) override
    {
        order_ = order;
        name_recipe();
        std::map<int, domain::words> images;
        for (int slot = 1; slot <= p_.map.slots.count; ++slot) images[slot] = domain::words(bb_test::slot_words, 0);
        images[history_slot] = plc->read();
        store::staged_order o;
        // Of another Odoo than ours, so that the dispatcher lets its deliveries be.
        o.order.source.id.odoo_db = "mill";
        o.order.source.id.odoo_id = std::stoll(order.substr(order.rfind('/') + 1));
        o.order.source.name = order;
        o.order.kg = 1000;
        o.slot = history_slot;
        o.order_key = order;
        const std::vector<store::staged_order> orders{o};
        const auto staged = p_.await(p_.rows->stage_load(p_.line().hold(), images, orders));
        load_ = std::get<store::staged>(staged).load.id;
        set_load(domain::load_state::arming);
    }
    void taken() override { set_load(domain::load_state::taken); }
    void recipe_stands(bool stands) override
    {
        stands_ = stands;
        name_recipe();
    }

    void cycle(std::chrono::seconds later) override
    {
        now_ += later;
        fresh_ = false;
        try {
            p_.await(reader_->run());
        } catch (const plc::error&) {
            // The next cycle is soon.
        }
    }

    bb_test::stored_batch row(const std::string& order) override
    {
        look();
        const auto it = seen_.find(order);
        if (it == seen_.end()) throw std::runtime_error("no row of " + order);
        return it->second;
    }

    void archive(const std::string& order, const std::string& status) override
    {
        const auto all = p_.await(p_.rows->batches("line1"));
        for (const auto& b : all) {
            if (b.mo_id != order) continue;
            const auto as = status == "completed" ? domain::history_status::completed : status == "failed" ? domain::history_status::failed : status == "reset" ? domain::history_status::reset : domain::history_status::cancelled;
            p_.await(p_.rows->archive(p_.line().hold(), b.id, as, "", std::nullopt));
        }
        p_.line().rows_changed();
        fresh_ = false;
    }

    int open_duties() override { return static_cast<int>(p_.await(p_.rows->open_duties("line1")).size()); }
    std::set<std::string> alerts() override
    {
        std::set<std::string> out;
        // What the PLC forgot of its recipes is another matter.
        for (const auto& r : bb_test::sql(p_.uri, "select kind || ' ' || subject from alert where state <> 'resolved' and kind not in ('plc_reset', 'recipe_gone')")) out.insert(r[0].value());
        return out;
    }
    void restart() override
    {
        reader_ = std::make_unique<tasks::plc_read_sync>(p_.line(), [this] { return now_; });
    }

private:
    void name_recipe()
    {
        bb_test::figures f;
        f.order = stands_ ? order_ : std::string();
        f.batch_no = history_slot;
        p_.device->write_area.at(history_slot - 1) = bb_test::encode(f);
    }
    void set_load(domain::load_state s)
    {
        p_.await(p_.rows->set_load_state(p_.line().hold(), load_, s, domain::batch_state::loaded));
        p_.line().rows_changed();
        fresh_ = false;
    }
    void look()
    {
        if (fresh_) return;
        seen_.clear();
        std::map<std::int64_t, std::string> names;
        for (const auto& b : p_.await(p_.rows->batches("line1"))) {
            auto& s = seen_[b.mo_id];
            s.state = std::string(domain::to_string(b.state));
            s.actual = by_place(b.actual);
            s.weight = hundredths(b.weight);
            s.manufacturing = b.status_manufacturing;
            s.operation = b.status_operation;
            names[b.id] = b.mo_id;
        }
        const auto finishes = p_.await(p_.rows->due_deliveries({"line1"}, "mill", 120s, 100));
        for (const auto& d : finishes) {
            if (d.kind != domain::delivery_kind::finish || !names.contains(d.batch_id)) continue;
            auto& s = seen_[names[d.batch_id]];
            ++s.finishes;
            for (const auto& [silo, kg] : d.payload.at("actual").as_object())
                s.finish_actual.at(static_cast<std::size_t>(std::stoi(std::string(silo)) - 101)) = hundredths(core::decimal::parse(kg.as_string()).value());
            s.finish_weight = hundredths(core::decimal::parse(d.payload.at("weight").as_string()).value());
        }
        fresh_ = true;
    }

    read_bench& p_;
    std::unique_ptr<tasks::plc_read_sync> reader_;
    std::map<std::string, bb_test::stored_batch> seen_;
    std::string order_;
    std::int64_t load_ = 0;
    bool stands_ = false, fresh_ = false;
    steady_clock::time_point now_ = steady_clock::now();
};

}  // namespace

TEST_CASE("random slot histories through the read cycle and PostgreSQL leave the stored rows equal to the model's (L-31, L-34, L-35, L-36)")
{
    const char* one = std::getenv("BB_HISTORY_SEED");
    const std::uint64_t from = one != nullptr ? std::strtoull(one, nullptr, 10) : 7000000, count = one != nullptr ? 1 : std::getenv("BATCHBRIDGE_LONG") != nullptr ? 200 : 25;
    bb_test::history_count total;
    std::optional<std::string> fault;
    {
        const silence quiet;
        read_bench p;
        for (std::uint64_t seed = from; seed < from + count && !fault; ++seed) fault = bb_test::play_history(seed, [&p] { return std::make_unique<stored_bridge>(p); }, total);
    }
    if (fault) FAIL(*fault);
    std::cout << count << " histories in PostgreSQL: " << total.cycles << " cycles, " << total.batches << " batches, " << total.completed << " completed, " << total.held << " held, " << total.lost << " lost\n";
    if (one == nullptr) CHECK(total.completed > 0);
}
