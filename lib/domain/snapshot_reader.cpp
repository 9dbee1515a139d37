// Reading snapshot files: ours and the predecessor's.
#include "core/csv.hpp"
#include "domain/snapshot.hpp"

#include <boost/json/stream_parser.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <map>

namespace batchbridge::domain {

namespace json = boost::json;

namespace {

std::string joined(const std::vector<std::string>& faults)
{
    std::string out;
    for (const auto& f : faults) out += (out.empty() ? "" : "\n") + f;
    return out;
}

std::string trimmed(std::string_view text)
{
    const auto first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos) return {};
    return std::string(text.substr(first, text.find_last_not_of(" \t") - first + 1));
}

std::string lower(std::string_view text)
{
    std::string out = trimmed(text);
    for (auto& c : out)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return out;
}

// A whole number, all of `text`.
std::optional<int> whole(std::string_view text)
{
    const bool hex = text.starts_with("0x") || text.starts_with("0X");
    if (hex) text.remove_prefix(2);
    int out = 0;
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), out, hex ? 16 : 10);
    if (text.empty() || ec != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return out;
}

// The names of a type that say its width; "REAL" was the predecessor's word for any scaled number.
const std::map<std::string, std::optional<value_type>, std::less<>>& type_names()
{
    static const std::map<std::string, std::optional<value_type>, std::less<>> names{
        {"u16", value_type::u16},     {"uint16", value_type::u16},  {"uint", value_type::u16},      {"word", value_type::u16},    {"ushort", value_type::u16},
        {"i16", value_type::i16},     {"int16", value_type::i16},   {"int", value_type::i16},       {"short", value_type::i16},   {"u32", value_type::u32},
        {"uint32", value_type::u32},  {"udint", value_type::u32},   {"dword", value_type::u32},     {"i32", value_type::i32},     {"int32", value_type::i32},
        {"dint", value_type::i32},    {"long", value_type::i32},    {"bool", value_type::boolean},  {"boolean", value_type::boolean}, {"bit", value_type::boolean},
        {"ascii", value_type::ascii}, {"string", value_type::ascii}, {"str", value_type::ascii},    {"text", value_type::ascii},  {"char", value_type::ascii},
        {"real", std::nullopt},       {"float", std::nullopt},      {"float32", std::nullopt},      {"number", std::nullopt},     {"decimal", std::nullopt},
        {"numeric", std::nullopt}};
    return names;
}

// "ascii16", "string(16)", "CHAR[16]": the width stands in the address.
std::string without_width(const std::string& name)
{
    if (type_names().contains(name)) return name;
    const auto end = name.find_last_not_of("0123456789()[] ");
    return end == std::string::npos ? name : name.substr(0, end + 1);
}

class reader {
public:
    std::vector<std::string> faults;
    std::vector<recorded_value> values;

    // Collects what one record says; nothing is kept of a record with a fault.
    void record(recorded_value v, const std::string& address, const std::string& scale)
    {
        const auto before = faults.size();
        const auto range = parse_dm_address(address);
        if (!range) complain(v.place, fmt::format("dm_address '{}' is no register", address), "write D6028, or D6028-D6029 for several");
        else if (range->words > 1 && static_cast<std::size_t>(range->words) != v.raw.size() && !v.raw.empty())
            complain(v.place, fmt::format("dm_address {} is {} words and raw_words has {}", address, range->words, v.raw.size()), "correct one of them");
        else v.plc_address = range->first;
        read_type(v);
        read_scale(v, scale);
        if (faults.size() == before && v.plc_address + static_cast<int>(v.raw.size()) > 65536) complain(v.place, "raw_words go beyond register 65535", "correct dm_address");
        if (faults.size() == before) check_again(v);
        if (faults.size() == before) values.push_back(std::move(v));
    }

    void complain(const std::string& place, const std::string& what, const std::string& todo) { faults.push_back(fmt::format("{}: {}: {}", place, what, todo)); }

private:
    void read_type(recorded_value& v)
    {
        if (v.data_type.empty()) return;
        const auto found = type_names().find(without_width(lower(v.data_type)));
        if (found == type_names().end())
            return complain(v.place, fmt::format("data_type '{}' is not known", v.data_type), "write uint16, int16, uint32, int32, bool, ascii or REAL, or leave it empty");
        v.type = found->second;
    }

    // "100", "/100", "100.0", "0.01"; empty is none.
    void read_scale(recorded_value& v, const std::string& text)
    {
        const std::string_view digits = text.starts_with('/') ? std::string_view(text).substr(1) : std::string_view(text);
        if (digits.empty() || digits == "-") return;
        const auto number = core::decimal::parse(digits);
        for (int scale = 1, places = 0; number && scale <= 1000000; scale *= 10, ++places) {
            if (*number != core::decimal(scale) && *number != core::decimal::from_scaled(1, places)) continue;
            v.scale = scale;
            return;
        }
        complain(v.place, fmt::format("scale '{}' is not known", text), "write a power of ten like 100 (the registers hold hundredths), or leave it empty");
    }

    // One file is one picture.
    void check_again(const recorded_value& v)
    {
        for (std::size_t i = 0; i < v.raw.size(); ++i) {
            const auto [it, is_new] = words_.try_emplace(v.plc_address + static_cast<int>(i), v.raw[i], v.place);
            if (is_new || it->second.first == v.raw[i]) continue;
            complain(v.place, fmt::format("register {} is {} here and {} in {}", it->first, v.raw[i], it->second.first, it->second.second), "one file holds one snapshot: cut it");
            return;
        }
    }

    std::map<int, std::pair<std::uint16_t, std::string>> words_;
};

words read_raw(reader& r, const std::string& place, const std::string& text)
{
    words out;
    const auto bad = [&](const std::string& what) {
        r.complain(place, what, "expected decimal words from 0 to 65535 with '|' between them, like 1|34464");
        return words();
    };
    for (std::size_t at = 0; at <= text.size();) {
        const auto end = std::min(text.find('|', at), text.size());
        const auto word = trimmed(std::string_view(text).substr(at, end - at));
        const auto n = whole(word);
        if (word.empty()) return bad(out.empty() && end == text.size() ? "raw_words is empty" : "a word of raw_words is empty");
        if (!n || *n < 0 || *n > 65535) return bad(fmt::format("'{}' in raw_words is no register", word));
        out.push_back(static_cast<std::uint16_t>(*n));
        at = end + 1;
    }
    return out;
}

class csv_header {
public:
    csv_header(reader& r, const core::csv_record& header)
    {
        const auto place = fmt::format("line {}", header.line);
        for (std::size_t i = 0; i < header.fields.size(); ++i) {
            const auto name = lower(header.fields[i]);
            if (name.empty()) continue;
            if (!columns_.emplace(name, i).second) r.complain(place, fmt::format("column '{}' is there twice", name), "remove one");
        }
        for (const auto* needed : {"field_name", "dm_address", "raw_words"})
            if (!columns_.contains(needed))
                r.complain(place, fmt::format("column '{}' is missing", needed), "the header of a snapshot is field_name,dm_address,data_type,scale,raw_words, in any order, more columns may follow");
    }

    std::optional<std::string> get(const core::csv_record& record, const std::string& name) const
    {
        const auto it = columns_.find(name);
        if (it == columns_.end()) return std::nullopt;
        return record.fields.at(it->second);
    }

private:
    std::map<std::string, std::size_t> columns_;
};

void read_csv(reader& r, std::string_view text)
{
    const auto first_line = text.substr(0, text.find('\n'));
    const bool semicolons = first_line.find(';') != std::string_view::npos && first_line.find(',') == std::string_view::npos;
    auto file = core::parse_csv(text, semicolons ? ';' : ',');
    for (const auto& f : file.faults) r.complain(fmt::format("line {}", f.line), f.what, "save the file as CSV (RFC 4180) again");
    if (file.records.empty()) {
        if (file.faults.empty()) r.complain("line 1", "the file is empty", "give a snapshot, as 'batchbridge snapshot' writes it");
        return;
    }
    const auto faults_before = r.faults.size();
    const csv_header header(r, file.records.front());
    if (r.faults.size() != faults_before) return;
    for (std::size_t i = 1; i < file.records.size(); ++i) {
        const auto& record = file.records[i];
        recorded_value v;
        v.place = fmt::format("line {}", record.line);
        if (record.fields.size() != file.records.front().fields.size()) {
            r.complain(v.place, fmt::format("{} fields, the header has {}", record.fields.size(), file.records.front().fields.size()), "quote fields that hold a separator");
            continue;
        }
        const auto text_of = [&](const char* column) { return trimmed(header.get(record, column).value_or("")); };
        v.field_name = text_of("field_name");
        v.data_type = text_of("data_type");
        v.value = header.get(record, "value");
        const auto before = r.faults.size();
        v.raw = read_raw(r, v.place, text_of("raw_words"));
        if (r.faults.size() == before) r.record(std::move(v), text_of("dm_address"), text_of("scale"));
    }
}

std::string text_in(const json::object& o, std::string_view key)
{
    const auto* v = o.if_contains(key);
    if (v == nullptr) return {};
    return v->is_string() ? std::string(v->get_string()) : v->is_int64() ? std::to_string(v->get_int64()) : std::string();
}

void read_json_value(reader& r, const json::value& item, std::string place)
{
    if (!item.is_object()) return r.complain(place, "is no object", "give the document as 'batchbridge snapshot --format json' wrote it");
    const auto& o = item.get_object();
    recorded_value v;
    v.place = std::move(place);
    v.field_name = text_in(o, "field_name");
    v.data_type = text_in(o, "data_type");
    if (o.contains("value")) v.value = text_in(o, "value");
    const auto* raw = o.if_contains("raw_words");
    bool good = raw != nullptr && raw->is_array() && !raw->get_array().empty();
    if (good) {
        for (const auto& w : raw->get_array()) {
            good = good && w.is_int64() && w.get_int64() >= 0 && w.get_int64() <= 65535;
            if (good) v.raw.push_back(static_cast<std::uint16_t>(w.get_int64()));
        }
    }
    if (!good) return r.complain(v.place, "raw_words is no list of registers", "expected whole numbers from 0 to 65535, like [1, 34464]");
    r.record(std::move(v), text_in(o, "dm_address"), text_in(o, "scale"));
}

void read_json(reader& r, std::string_view text)
{
    json::stream_parser parser;
    boost::system::error_code ec;
    const auto used = parser.write(text.data(), text.size(), ec);
    if (!ec) parser.finish(ec);
    if (ec) {
        const auto line = 1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(std::min(used, text.size())), '\n');
        return r.complain(fmt::format("line {}", line), "the file is not valid JSON: " + ec.message(), "give the document as 'batchbridge snapshot --format json' wrote it");
    }
    const auto root = parser.release();
    const auto* blocks = root.get_object().if_contains("blocks");
    if (text_in(root.get_object(), "format") != "batchbridge-snapshot" || blocks == nullptr || !blocks->is_array())
        return r.complain("line 1", "the document is no snapshot", "expected \"format\": \"batchbridge-snapshot\" and a list \"blocks\"");
    for (std::size_t i = 0; i < blocks->get_array().size(); ++i) {
        const auto& block = blocks->get_array()[i];
        const auto* values = block.is_object() ? block.get_object().if_contains("values") : nullptr;
        if (values == nullptr || !values->is_array()) {
            r.complain(fmt::format("blocks[{}]", i), "has no list 'values'", "give the document as 'batchbridge snapshot --format json' wrote it");
            continue;
        }
        for (std::size_t k = 0; k < values->get_array().size(); ++k) read_json_value(r, values->get_array()[k], fmt::format("blocks[{}].values[{}]", i, k));
    }
}

}  // namespace

snapshot_error::snapshot_error(std::vector<std::string> faults) : std::runtime_error(joined(faults)), faults_(std::move(faults)) {}

std::optional<dm_range> parse_dm_address(std::string_view text)
{
    const auto register_number = [](std::string_view part) -> std::optional<int> {
        auto name = lower(part);
        if (name.starts_with("dm")) name.erase(0, 2);
        else if (name.starts_with('d')) name.erase(0, 1);
        name = trimmed(name);
        if (name.empty() || name.find_first_not_of("0123456789") != std::string::npos) return std::nullopt;
        const auto n = whole(name);
        if (!n || *n > 65535) return std::nullopt;
        return n;
    };
    dm_range out;
    std::size_t at = std::string_view::npos, width = 1;
    for (const std::string_view sign : {"..", "-", ":", "~"}) {
        at = text.find(sign);
        width = sign.size();
        if (at != std::string_view::npos) break;
    }
    const auto first = register_number(text.substr(0, at));
    if (!first) return std::nullopt;
    out.first = *first;
    if (at == std::string_view::npos) return out;
    const auto last = register_number(text.substr(at + width));
    if (!last || *last < *first) return std::nullopt;
    out.words = *last - *first + 1;
    return out;
}

std::vector<recorded_value> read_snapshot(std::string_view text)
{
    reader r;
    const std::string_view mark = "\xef\xbb\xbf";
    const auto content = text.starts_with(mark) ? text.substr(mark.size()) : text;
    const auto start = content.find_first_not_of(" \t\r\n");
    if (start != std::string_view::npos && content[start] == '{') read_json(r, content);
    else read_csv(r, text);
    if (!r.faults.empty()) throw snapshot_error(std::move(r.faults));
    if (r.values.empty()) throw snapshot_error({"the file holds no value: give a snapshot, as 'batchbridge snapshot' writes it"});
    return std::move(r.values);
}

}  // namespace batchbridge::domain
