#include "e2e/kill_matrix/end_state.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include <cmath>
#include <map>

namespace bb_test::matrix {

namespace json = boost::json;

namespace {

// Silo -> 0.01 kg, without zeros.
using amounts = std::map<int, std::int64_t>;

std::int64_t hundredths(const std::string& kg)
{
    return std::llround(std::stod(kg) * 100);
}

amounts amounts_of(const json::value& by_silo)
{
    amounts out;
    for (const auto& [silo, kg] : by_silo.as_object())
        if (const auto n = hundredths(std::string(kg.as_string())); n != 0) out[std::stoi(std::string(silo))] = n;
    return out;
}

std::int64_t total(const amounts& a)
{
    std::int64_t out = 0;
    for (const auto& [silo, kg] : a) out += kg;
    return out;
}

std::string shown(const amounts& a)
{
    std::string out;
    for (const auto& [silo, kg] : a) out += " " + std::to_string(silo) + ":" + std::to_string(kg);
    return out.empty() ? " nothing" : out;
}

struct made_batch {
    int times = 0;
    bool failed = false;
    amounts actual;
    std::int64_t weight = 0;
};

struct ended_run {
    amounts actual;
    std::int64_t weight = 0;
    std::string status;
};

class describer {
public:
    explicit describer(bench& b) : b_(b), p_(b.at()), plc_(p_.plc("/state")), odoo_(p_.odoo("/orders")) {}

    std::set<std::string> all()
    {
        for (int k = 1; k <= b_.made(); ++k) {
            order_ = "order " + std::to_string(k);
            const auto made = at_plc(b_.name(k));
            const auto last = history(b_.id(k), made);
            at_odoo(b_.id(k), last);
        }
        slots();
        queue();
        effects();
        others();
        failures();
        return std::move(out_);
    }

private:
    void say(const std::string& sentence) { out_.insert(b_.relative(sentence)); }

    made_batch at_plc(const std::string& name)
    {
        made_batch m;
        for (const auto& f : plc_.at("finished").as_array()) {
            if (f.at("order").as_string() != name) continue;
            ++m.times;
            m.failed = f.at("failed").as_bool();
            m.actual = amounts_of(f.at("actual"));
            m.weight = hundredths(std::string(f.at("weight").as_string()));
        }
        say(order_ + ": the PLC ended it " + std::to_string(m.times) + " times" + (m.failed ? ", given up" : ""));
        if (m.times > 1) say("WRONG " + order_ + " was made more than once");
        return m;
    }

    std::string whose(const std::string& batch, const ended_run& run, const made_batch& made)
    {
        if (run.actual.empty() && run.weight == 0) return "nothing dosed";
        if (run.actual == made.actual && run.weight == made.weight) return "the PLC's figures";
        const auto given = b_.sql("select \"values\" from journal where batch_id = " + batch + " and what = 'api.complete' order by id desc limit 1");
        if (!given.empty() && amounts_of(json::parse(given)) == run.actual) return "the figures a person gave";
        return "WRONG figures" + shown(run.actual) + ", the PLC has" + shown(made.actual);
    }

    ended_run history(std::int64_t id, const made_batch& made)
    {
        ended_run last;
        for (const auto& r : b_.rows("select h.batch_id, h.run, h.status, h.actual_weight_quantity_finished_goods, h.done_marked, h.update_odoo, (select coalesce(json_object_agg(c.silo, c.actual::text), '{}') from "
                                     "mo_histories_consumption c where c.history_id = h.id) from mo_histories h where h.odoo_id = " + std::to_string(id) + " order by h.run")) {
            last.actual = amounts_of(json::parse(*r[6]));
            last.weight = hundredths(*r[3]);
            last.status = *r[2];
            const auto figures = whose(*r[0], last, made);
            say(order_ + ": history run " + *r[1] + " " + *r[2] + ", " + figures + (*r[4] == "t" ? ", done in Odoo" : "") + (*r[5] == "t" ? ", acknowledged" : ""));
            if (figures.starts_with("WRONG")) say("WRONG " + order_ + " " + figures);
        }
        return last;
    }

    void at_odoo(std::int64_t id, const ended_run& run)
    {
        for (const auto& o : odoo_.as_array()) {
            if (o.at("id").as_int64() != id) continue;
            const std::string state(o.at("state").as_string());
            const auto times = o.at("finished_times").as_int64();
            say(order_ + ": " + state + " in Odoo, finished " + std::to_string(times) + " times");
            if (times > 1) say("WRONG " + order_ + " was finished more than once");
            // What somebody else has finished there, and was given up here, has figures of its own.
            if (state != "done" || run.status != "completed") continue;
            amounts booked;
            for (const auto& m : o.at("moves").as_array()) {
                const std::string code(m.at("product_code").as_string());
                if (const auto n = hundredths(std::string(m.at("quantity").as_string())); n != 0) booked[std::stoi(code.substr(code.find_first_of("0123456789")))] += n;
            }
            if (booked != run.actual) say("WRONG " + order_ + ": Odoo books" + shown(booked) + ", the history has" + shown(run.actual));
            const auto produced = hundredths(std::string(o.at("qty_produced").as_string()));
            if (produced != (run.weight > 0 ? run.weight : total(run.actual))) say("WRONG " + order_ + ": " + std::to_string(produced) + " produced in Odoo, the history weighs " + std::to_string(run.weight));
        }
    }

    void slots()
    {
        for (const auto& s : plc_.at("slots").as_array()) {
            const std::string order(s.at("order").as_string());
            if (b_.relative(order) == order) continue;
            const bool ended = s.at("status_manufacturing").as_int64() == 1 || s.at("status_operation").as_int64() == 1;
            say("slot " + std::to_string(s.at("slot").as_int64()) + " shows " + order + (ended ? ", ended" : "") + (s.at("status_read_data").as_int64() == 1 ? ", acknowledged" : ""));
        }
        say("the PLC took " + std::to_string(plc_.at("loads_taken").as_int64() - b_.base().loads_taken) + " loads");
    }

    void queue()
    {
        for (const auto& r : b_.rows("select mo_id || ' is ' || state from mo_batch")) say("queue: " + *r[0]);
        for (const auto& r : b_.rows("select kind || ' ' || mo_id || ' ' || state from odoo_outbox where id > " + std::to_string(b_.base().requests) + " and (state in ('due', 'sending', 'parked') or kind <> 'consumption') and kind <> 'maintenance_request'"))
            say("delivery: " + *r[0]);
        for (const auto& r : b_.rows("select state || ' ' || count(*) from plc_load where id > " + std::to_string(b_.base().loads) + " group by state")) say("loads: " + *r[0]);
        for (const auto& r : b_.rows("select mo_id from plc_duty where done_at is null")) say("owed to the PLC: " + *r[0]);
    }

    // What was done and may have been done: the journal, and what is marked as unclear.
    void effects()
    {
        const auto since = std::to_string(b_.base().journal);
        // A batch may have ended before anybody was there to see it run.
        for (const auto& r : b_.rows("select distinct what || case when mo_id = '' then '' else ' of ' || mo_id end from journal where what <> 'batch.running' and id > " + since)) say("effect " + *r[0]);
        for (const auto& r : b_.rows("select distinct 'odoo.' || a.call || ' of ' || o.mo_id from odoo_attempt a join odoo_outbox o on o.id = a.outbox_id where a.outcome is null and o.id > " + std::to_string(b_.base().requests)))
            say("effect " + *r[0]);
    }

    void others()
    {
        for (const auto& r : b_.rows("select kind || ' (' || subject || ')' from alert where state <> 'resolved' and last_at > '" + b_.base().time + "'")) say("alert: " + *r[0]);
        const auto violations = p_.odoo("/violations").as_array();
        for (auto i = b_.base().violations; i < violations.size(); ++i) say("WRONG in Odoo: " + std::string(violations[i].as_string()));
        for (const auto& c : b_.complaints()) say("WRONG: " + c);
    }

    void failures()
    {
        for (const auto& r : b_.rows("select regexp_replace(f.description, '[0-9]+', '') || ', ' || f.time_source || case when f.acknowledged_at is null then '' else ', acknowledged' end || (select string_agg(', request ' || o.state, '') from "
                                     "odoo_outbox o where o.kind = 'maintenance_request' and (o.payload ->> 'failure_id')::bigint = f.id) || case when f.odoo_request_id is null then '' else ', its number is known' end from equipment_failure f where f.id > " + std::to_string(b_.base().failures)))
            say("failure: " + *r[0]);
        say(std::to_string(plc_.at("failures").at("acknowledged").as_int64() - b_.base().failures_acknowledged) + " failures acknowledged at the PLC");
        say(std::to_string(p_.odoo("/requests").as_array().size() - b_.base().in_odoo) + " maintenance requests in Odoo");
    }

    bench& b_;
    plant& p_;
    json::value plc_, odoo_;
    std::string order_;
    std::set<std::string> out_;
};

}  // namespace

std::set<std::string> end_state(bench& b)
{
    return describer(b).all();
}

std::vector<std::string> differences(const std::set<std::string>& uninterrupted, const std::set<std::string>& seen)
{
    std::vector<std::string> out;
    for (const auto& s : uninterrupted)
        if (!seen.contains(s)) out.push_back("missing: " + s);
    for (const auto& s : seen) {
        if (s.starts_with("WRONG")) out.push_back(s);
        else if (!uninterrupted.contains(s) && !s.starts_with("effect ")) out.push_back("new: " + s);
    }
    return out;
}

}  // namespace bb_test::matrix
