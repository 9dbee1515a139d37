#include "domain/plant_map.hpp"

#include "core/time.hpp"
#include "domain/plant_map_validate.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

namespace batchbridge::domain {

namespace json = boost::json;

namespace {

std::string join_lines(const std::vector<std::string>& faults)
{
    std::string out;
    for (const auto& f : faults) out += (out.empty() ? "" : "\n") + f;
    return out;
}

// A whole number; JSON does not tell 2.0 from 2.
std::optional<std::int64_t> whole(const json::value& v)
{
    if (v.is_int64()) return v.get_int64();
    if (v.is_double() && std::abs(v.get_double()) < 1e15 && v.get_double() == std::floor(v.get_double())) return static_cast<std::int64_t>(v.get_double());
    return std::nullopt;
}

// An object of the file that knows its place, which keys were asked for, and where faults go.
class node {
public:
    node(const json::value& v, std::string place, std::vector<std::string>& faults) : place_(std::move(place)), faults_(faults)
    {
        if (v.is_object()) object_ = &v.get_object();
        else complain({}, "expected an object");
    }
    node(const node&) = delete;
    node& operator=(const node&) = delete;
    ~node() = default;

    void complain(const std::string& key, const std::string& what) const
    {
        faults_.push_back(fmt::format("{}{}{}: {}", place_, place_.empty() || key.empty() ? "" : ".", key, what));
    }

    const json::value* get(const std::string& key, bool required = false)
    {
        asked_.insert(key);
        const auto* v = object_ != nullptr ? object_->if_contains(key) : nullptr;
        if (v == nullptr && required && object_ != nullptr) complain(key, "is missing");
        return v;
    }

    void number(const std::string& key, int& out, int low, int high, bool required = false)
    {
        const auto* v = get(key, required);
        if (v == nullptr) return;
        const auto n = whole(*v);
        if (!n || *n < low || *n > high) return complain(key, fmt::format("expected a whole number from {} to {}", low, high));
        out = static_cast<int>(*n);
    }

    void kilograms(const std::string& key, core::decimal& out)
    {
        const auto* v = get(key);
        if (v == nullptr) return;
        std::optional<core::decimal> d;
        if (v->is_int64()) d = core::decimal::parse(std::to_string(v->get_int64()));
        else if (v->is_double()) d = core::decimal::from_double(v->get_double());
        // What the database keeps is below 10^11 kg.
        if (!d || *d > core::decimal::from_scaled(99999999999, 0)) return complain(key, "expected a number of kilograms");
        out = *d;
    }

    void text(const std::string& key, std::string& out, bool required = false)
    {
        const auto* v = get(key, required);
        if (v == nullptr) return;
        if (!v->is_string()) return complain(key, "expected a text");
        out = std::string(v->get_string());
    }

    void flag(const std::string& key, bool& out)
    {
        const auto* v = get(key);
        if (v == nullptr) return;
        if (!v->is_bool()) return complain(key, "expected true or false");
        out = v->get_bool();
    }

    void texts(const std::string& key, std::vector<std::string>& out)
    {
        const auto* v = get(key);
        if (v == nullptr) return;
        if (!v->is_array()) return complain(key, "expected a list of texts");
        for (const auto& item : v->get_array()) {
            if (!item.is_string() || item.get_string().empty()) complain(key, "expected a list of texts");
            else out.emplace_back(item.get_string());
        }
    }

    template <class E>
    void choice(const std::string& key, E& out, const std::vector<std::pair<std::string, E>>& values)
    {
        const auto* v = get(key);
        if (v == nullptr) return;
        std::string all;
        for (const auto& [name, value] : values) {
            if (v->is_string() && v->get_string() == name) {
                out = value;
                return;
            }
            all += (all.empty() ? "" : ", ") + name;
        }
        complain(key, fmt::format("{} is not one of {}", json::serialize(*v), all));
    }

    void milliseconds(const std::string& key, std::chrono::milliseconds& out)
    {
        std::string value = "0ms";
        text(key, value);
        const auto d = core::parse_duration(value);
        if (!d || *d > std::chrono::minutes(1)) return complain(key, fmt::format("'{}' is not a duration up to 1m, like 20ms", value));
        out = std::chrono::duration_cast<std::chrono::milliseconds>(*d);
    }

    // {"at": 1, "type": "ascii", "words": 8, "scale": 100}
    void value(const std::string& key, field& out, value_type fallback)
    {
        const auto* v = get(key, true);
        out.words = 0;
        if (v == nullptr) return;
        node n(*v, place_of(key), faults_);
        n.read_field(out, fallback, "at");
        n.finish();
    }

    // `fallback` also says what the value is: ascii a text, boolean a status word, else a number. A field that could not
    // be read has 0 words afterwards, so that validate() leaves it out.
    void read_field(field& out, value_type fallback, const std::string& at_key)
    {
        const auto faults_before = faults_.size();
        out.type = fallback;
        number(at_key, out.at, 0, 65535, true);
        if (const auto* t = get("type"); t != nullptr && t->is_string() && (t->get_string() == "float32" || t->get_string() == "f32")) {
            complain("type", "float32 is not supported yet");
        } else {
            choice<value_type>("type", out.type,
                               {{"u16", value_type::u16}, {"i16", value_type::i16}, {"u32", value_type::u32}, {"i32", value_type::i32}, {"bool", value_type::boolean}, {"ascii", value_type::ascii}});
        }
        const bool wide = out.type == value_type::u32 || out.type == value_type::i32;
        out.words = wide ? 2 : 1;
        const auto* given = get("words");
        if (given != nullptr) {
            int n = out.words;
            number("words", n, 1, 125);
            if (out.type != value_type::ascii && n != out.words) complain("words", fmt::format("{} words do not fit the type, expected {}", n, out.words));
            out.words = n;
        } else if (out.type == value_type::ascii) {
            complain("words", "is missing: a text needs its width");
        }
        out.scale = 1;
        number("scale", out.scale, 1, 1000000);
        if (out.scale != 1 && out.scale != 10 && out.scale != 100 && out.scale != 1000 && out.scale != 10000 && out.scale != 100000 && out.scale != 1000000)
            complain("scale", "expected a power of ten");
        if (out.scale != 1 && (out.type == value_type::ascii || fallback == value_type::boolean)) complain("scale", "has no meaning for this value");
        if (fallback == value_type::ascii && out.type != value_type::ascii) complain("type", "expected ascii: this is a text");
        else if (fallback == value_type::boolean && (out.type == value_type::ascii || wide)) complain("type", "expected bool or u16: this is one status word");
        else if (fallback != value_type::ascii && fallback != value_type::boolean && (out.type == value_type::ascii || out.type == value_type::boolean))
            complain("type", "expected u16, i16, u32 or i32: this is a number");
        if (faults_.size() != faults_before) out.words = 0;
    }

    std::string place_of(const std::string& key) const { return place_.empty() ? key : place_ + "." + key; }

    // Every key that nobody asked for.
    void finish()
    {
        if (object_ == nullptr) return;
        for (const auto& [key, v] : *object_)
            if (!asked_.contains(std::string(key))) complain(std::string(key), "unknown key");
    }

private:
    const json::object* object_ = nullptr;
    std::string place_;
    std::vector<std::string>& faults_;
    std::set<std::string> asked_;
};

void read_slots(node& root, plant_map& m, unread_parts& unread, std::vector<std::string>& faults)
{
    const auto faults_before = faults.size();
    if (const auto* v = root.get("slots", true)) {
        node n(*v, "slots", faults);
        n.number("count", m.slots.count, 1, 200, true);
        n.number("stride", m.slots.stride, 1, 65535, true);
        n.number("words", m.slots.words, 1, 65535, true);
        n.number("read_start", m.slots.read_start, 0, 65535, true);
        n.number("write_start", m.slots.write_start, 0, 65535, true);
        unread.slots = faults.size() != faults_before;
        n.finish();
    } else {
        unread.slots = true;
    }
    if (const auto* v = root.get("fields", true)) {
        node n(*v, "fields", faults);
        auto& f = m.fields;
        n.value("batch_no", f.batch_no, value_type::u16);
        n.value("mo_id", f.mo_id, value_type::ascii);
        n.value("bom_id", f.bom_id, value_type::ascii);
        n.value("finished_goods", f.finished_goods, value_type::ascii);
        n.value("quantity_goods", f.quantity_goods, value_type::i32);
        n.value("status_manufacturing", f.status_manufacturing, value_type::boolean);
        n.value("status_operation", f.status_operation, value_type::boolean);
        n.value("weight_finished_good", f.weight_finished_good, value_type::i32);
        n.value("status_read_data", f.status_read_data, value_type::boolean);
        n.finish();
    } else {
        auto& f = m.fields;
        for (auto* unread_field : {&f.batch_no, &f.mo_id, &f.bom_id, &f.finished_goods, &f.quantity_goods, &f.status_manufacturing, &f.status_operation, &f.weight_finished_good, &f.status_read_data})
            unread_field->words = 0;
    }
}

void read_silos(node& root, plant_map& m, std::vector<std::string>& faults)
{
    const auto* v = root.get("silos", true);
    if (v == nullptr) return;
    if (!v->is_array()) return root.complain("silos", "expected a list");
    std::size_t index = 0;
    for (const auto& item : v->get_array()) {
        node n(item, fmt::format("silos[{}]", index++), faults);
        silo s;
        n.number("id", s.id, 1, 65535, true);
        n.text("letter", s.letter);
        n.text("name", s.name);
        n.text("equipment", s.equipment);
        s.id_at = -1;
        n.number("id_at", s.id_at, 0, 65535, true);
        n.read_field(s.quantity, value_type::i32, "quantity_at");
        n.kilograms("max_kg", s.max_kg);
        if (const auto* find = n.get("find")) {
            node f(*find, n.place_of("find"), faults);
            f.texts("product", s.products);
            f.texts("location", s.locations);
            f.texts("alias", s.aliases);
            f.finish();
        }
        n.finish();
        m.silos.push_back(std::move(s));
    }
}

void read_rest(node& root, plant_map& m, unread_parts& unread, std::vector<std::string>& faults)
{
    unread.handshake = unread.failure = true;
    if (const auto* v = root.get("handshake", true)) {
        node n(*v, "handshake", faults);
        std::string mode = "flag";
        n.text("mode", mode, true);
        if (mode == "sequence") n.complain("mode", "the sequence handshake is not supported yet");
        else if (mode != "flag") n.complain("mode", "'" + mode + "' is not one of flag");
        const auto faults_before = faults.size();
        n.number("write_ready", m.write_ready, 0, 65535, true);
        unread.handshake = faults.size() != faults_before;
        n.finish();
    }
    if (const auto* v = root.get("quirks")) {
        node n(*v, "quirks", faults);
        n.milliseconds("pause_after_connect", m.quirk.pause_after_connect);
        n.milliseconds("pause_between_requests", m.quirk.pause_between_requests);
        n.flag("close_after_cycle", m.quirk.close_after_cycle);
        if (const auto* host = n.get("second_host"); host != nullptr && !host->is_null()) {
            if (host->is_string()) m.quirk.second_host = std::string(host->get_string());
            else n.complain("second_host", "expected a text or null");
        }
        n.finish();
    }
    if (const auto* v = root.get("failure", true)) {
        node n(*v, "failure", faults);
        const auto faults_before = faults.size();
        n.number("start", m.failure.start, 0, 65535, true);
        n.value("equipment_code", m.failure.equipment_code, value_type::ascii);
        n.value("info", m.failure.info, value_type::ascii);
        n.value("flag", m.failure.flag, value_type::boolean);
        if (const auto* t = n.get("time", true)) {
            node f(*t, "failure.time", faults);
            f.number("at", m.failure.time.at, 0, 65535, true);
            f.text("format", m.failure.time_format);
            const bool text = m.failure.time_format == "text", epoch = m.failure.time_format == "epoch";
            m.failure.time.type = text ? value_type::ascii : epoch ? value_type::u32 : value_type::u16;
            // Year, month, day, hour, minute, second; or one 32-bit number of seconds.
            const int width = text ? 1 : epoch ? 2 : 6;
            m.failure.time.words = width;
            f.number("words", m.failure.time.words, 1, 125, text);
            if (!text && m.failure.time.words != width)
                f.complain("words", fmt::format("{} words do not fit the format, expected {}", m.failure.time.words, width));
            if (m.failure.time_format != "auto" && m.failure.time_format != "text" && m.failure.time_format != "epoch")
                f.complain("format", "'" + m.failure.time_format + "' is not one of auto, text, epoch");
            f.finish();
        }
        unread.failure = faults.size() != faults_before;
        n.finish();
    }
    if (const auto* v = root.get("limits")) {
        node n(*v, "limits", faults);
        n.kilograms("max_step_kg", m.limits.max_step_kg);
        n.kilograms("max_fall_kg", m.limits.max_fall_kg);
        n.number("max_read", m.limits.max_read, 0, 65535);
        n.number("max_write", m.limits.max_write, 0, 65535);
        n.finish();
    }
    if (const auto* v = root.get("products"); v != nullptr && !v->is_object()) root.complain("products", "expected an object");
    for (const auto* later : {"manual_weighing", "time_stamps", "crc", "control"})
        if (root.get(later) != nullptr) root.complain(later, "not supported yet");
}

}  // namespace

map_error::map_error(std::vector<std::string> faults) : std::runtime_error(join_lines(faults)), faults_(std::move(faults)) {}

const silo* plant_map::find_silo(int id) const
{
    for (const auto& s : silos)
        if (s.id == id) return &s;
    return nullptr;
}

plant_map parse_plant_map(std::string_view text)
{
    std::vector<std::string> faults;
    boost::system::error_code ec;
    const auto value = json::parse(text, ec);
    if (ec) throw map_error({"file: is not valid JSON: " + ec.message()});
    plant_map m;
    node root(value, "", faults);
    if (!value.is_object()) throw map_error(faults);
    root.number("version", m.version, 0, 1000000, true);
    if (m.version != 1) root.complain("version", fmt::format("{} is not known, expected 1", m.version));
    root.number("address_offset", m.address_offset, -65535, 65535);
    root.choice<word_order>("word_order", m.words, {{"ABCD", word_order::abcd}, {"CDAB", word_order::cdab}, {"BADC", word_order::badc}, {"DCBA", word_order::dcba}});
    root.choice<ascii_order>("ascii_order", m.ascii, {{"high", ascii_order::high}, {"low", ascii_order::low}});
    root.choice<order_key>("order_key", m.key, {{"name", order_key::name}, {"id", order_key::id}});
    std::string for_people;
    root.text("$schema", for_people);
    root.text("description", for_people);
    unread_parts unread;
    read_slots(root, m, unread, faults);
    read_silos(root, m, faults);
    read_rest(root, m, unread, faults);
    root.finish();
    m.slots.read_start += m.address_offset;
    m.slots.write_start += m.address_offset;
    m.failure.start += m.address_offset;
    m.write_ready += m.address_offset;
    validate(m, unread, faults);
    if (!faults.empty()) throw map_error(std::move(faults));
    return m;
}

}  // namespace batchbridge::domain
