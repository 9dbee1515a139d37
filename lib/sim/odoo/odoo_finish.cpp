// button_mark_done: what it books, and what it answers instead of booking (section 6 of odoo18.md and odoo19.md).
#include "sim/odoo/odoo_model.hpp"
#include "sim/odoo/odoo_record.hpp"

#include <boost/json/parse.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace batchbridge::sim {

namespace json = boost::json;
using core::decimal;

namespace {

// A window action as d02 and d04 recorded it on 18, d_done_less_no_context and d_strict_no_context on 19.
json::value wizard(const odoo_options& o, int id, const char* name, const char* action, const char* model, json::object context)
{
    const char* shape_18 = R"({"id":0,"name":"","type":"ir.actions.act_window","xml_id":"","path":false,"help":false,"binding_model_id":false,
        "binding_type":"action","binding_view_types":"list,form","display_name":"","view_id":false,"domain":false,"context":{},"res_id":0,"res_model":"",
        "target":"new","view_mode":"form","mobile_view_mode":"kanban","views":[[false,"form"]],"limit":80,"groups_id":[],"search_view_id":false,
        "embedded_action_ids":[],"filter":false})";
    const char* shape_19 = R"({"id":0,"display_name":"","name":"","type":"ir.actions.act_window","xml_id":"","path":false,"help":false,"binding_model_id":false,
        "binding_type":"action","binding_view_types":"list,form","view_id":false,"domain":false,"context":{},"res_id":0,"res_model":"",
        "target":"new","view_mode":"form","mobile_view_mode":"kanban","views":[[false,"form"]],"limit":80,"group_ids":[],"search_view_id":false,
        "embedded_action_ids":[],"filter":false,"cache":true})";
    auto out = json::parse(o.is_19() ? shape_19 : shape_18).as_object();
    out["id"] = o.is_19() ? id + 30 : id;
    out["name"] = json::value(name);
    out["display_name"] = json::value(name);
    out["xml_id"] = json::value(action);
    out["res_model"] = json::value(model);
    out["context"] = std::move(context);
    return out;
}

json::array created(json::object line)
{
    json::array command;
    command.push_back(0);
    command.push_back(0);
    command.push_back(std::move(line));
    return command;
}

json::array only(std::int64_t id)
{
    json::array ids;
    ids.push_back(id);
    return ids;
}

// Components that were not consumed as the bill of materials says for what was produced.
json::array deviations(const odoo_options& options, const sim_order& o)
{
    json::array lines;
    if (o.consumption == "flexible" || o.quantity.is_zero()) return lines;
    for (const auto& m : o.moves) {
        const auto expected = decimal::divide(m.planned * o.qty_producing, o.quantity, 6).rounded(2);
        const auto consumed = m.picked ? m.quantity : decimal{};
        if (consumed == expected) continue;
        json::object line;
        line["mrp_production_id"] = o.id;
        line["product_id"] = m.product_id;
        line["consumption"] = json::value(o.consumption);
        line["product_uom_id"] = uom_record(options, m.uom).at("id");
        line["product_consumed_qty_uom"] = consumed.to_double();
        line["product_expected_qty_uom"] = expected.to_double();
        lines.push_back(created(std::move(line)));
    }
    return lines;
}

json::value consumption_warning(const odoo_options& options, const sim_order& o, json::array lines)
{
    json::object context;
    context["default_mrp_production_ids"] = only(o.id);
    context["default_mrp_consumption_warning_line_ids"] = std::move(lines);
    context["form_view_ref"] = false;
    return wizard(options, 289, "Consumption Warning", "mrp.action_mrp_consumption_warning", "mrp.consumption.warning", std::move(context));
}

json::value backorder_question(const odoo_options& options, const sim_order& o)
{
    json::object line;
    line["mrp_production_id"] = o.id;
    line["to_backorder"] = true;
    json::array lines;
    lines.push_back(created(std::move(line)));
    json::object context;
    context["always_backorder_mo_ids"] = json::array{};
    context["default_mrp_production_ids"] = only(o.id);
    context["default_mrp_production_backorder_line_ids"] = std::move(lines);
    return wizard(options, 288, options.is_19() ? "You produced less than the initial demand" : "You produced less than initial demand", "mrp.action_mrp_production_backorder", "mrp.production.backorder", std::move(context));
}

// Automatic printing: an action, although the order is done (d10).
json::value print_action(const sim_order& o, json::object context)
{
    context["active_ids"] = only(o.id);
    json::object report;
    report["context"] = std::move(context);
    report["data"] = nullptr;
    report["type"] = "ir.actions.report";
    report["report_name"] = "mrp.report_mrporder";
    report["report_type"] = "qweb-pdf";
    report["report_file"] = "mrp.report.mrp_production_templates";
    report["name"] = "Production Order";
    json::array reports;
    reports.push_back(std::move(report));
    json::object params;
    params["reports"] = std::move(reports);
    json::object out;
    out["type"] = "ir.actions.client";
    out["tag"] = "do_multi_print";
    out["context"] = json::object{};
    out["params"] = std::move(params);
    return out;
}

}  // namespace

// Stock moves. A move that is not picked, or picked with nothing, ends as cancelled (z01).
void odoo_model::book(sim_order& o)
{
    for (auto& m : o.moves) {
        m.picked = m.picked && m.quantity > 0;
        m.state = m.picked ? "done" : "cancel";
        if (!m.picked) m.quantity = 0;
    }
    o.state = "done";
    o.qty_produced = o.qty_producing;
    o.date_finished = o.write_date = odoo_now();
    if (++o.finished_times > 1) violation(o.name + ": finished twice");
}

json::value odoo_model::mark_done(sim_order& o, const odoo_arguments& a)
{
    ++o.done_calls;
    // `true` proves nothing (f02, f03, e01).
    if (o.state == "cancel") return true;
    if (o.state == "done") {
        o.date_finished = odoo_now();
        return true;
    }
    if (o.qty_producing.is_zero()) {
        // The trap: planned values instead of the actual ones, unless marked as manual (d07, c08).
        o.qty_producing = o.quantity;
        for (auto& m : o.moves) {
            if (!m.manual) m.quantity = m.planned;
            m.picked = true;
        }
        violation(o.name + ": done with qty_producing 0 booked planned quantities");
    } else {
        auto lines = deviations(options_, o);
        if (!lines.empty() && !a.skip("skip_consumption")) return consumption_warning(options_, o, std::move(lines));
        if (o.qty_producing < o.quantity && !a.skip("skip_backorder")) return backorder_question(options_, o);
    }
    book(o);
    if (o.auto_print) return print_action(o, a.context);
    return true;
}

}  // namespace batchbridge::sim
