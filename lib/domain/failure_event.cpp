#include "domain/failure_event.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace batchbridge::domain {

using core::local_time;
using std::chrono::microseconds;
using std::chrono::minutes;
using std::chrono::seconds;

namespace {

constexpr auto believable_gap = minutes(15);
constexpr std::array<std::string_view, 5> no_event{"0", "NONE", "NO_FAILURE", "NO ERROR", "NO_ERROR"};

// A word of binary coded decimals, 0x26 = 26; nullopt: a nibble above 9.
std::optional<int> from_bcd(std::uint16_t w)
{
    int out = 0;
    for (int shift = 12; shift >= 0; shift -= 4) {
        const int digit = (w >> shift) & 0xf;
        if (digit > 9) return std::nullopt;
        out = out * 10 + digit;
    }
    return out;
}

// year, month, day, hour, minute, second in six words; the year says how they are coded.
std::optional<local_time> from_words(std::span<const std::uint16_t> w)
{
    std::array<int, 6> v{};
    const bool bcd = w[0] >= 0x2000 && w[0] <= 0x2099;
    for (std::size_t i = 0; i < v.size(); ++i) {
        const auto value = bcd ? from_bcd(w[i]) : std::optional<int>(w[i]);
        if (!value) return std::nullopt;
        v[i] = *value;
    }
    if (v[0] < 100) v[0] += 2000;
    if (v[0] < 2000 || v[0] > 2099) return std::nullopt;
    // An empty clock: 2000-00-00 is caught as no date, this is not.
    local_time t{v[0], v[1], v[2], v[3], v[4], v[5]};
    if (!core::is_valid(t)) return std::nullopt;
    return t;
}

std::string text_of(const local_time& t)
{
    return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02}", t.year, t.month, t.day, t.hour, t.minute, t.second);
}

class cursor {
public:
    explicit cursor(std::string_view text) : rest_(text) {}
    bool done() const { return rest_.empty(); }
    char peek() const { return rest_.empty() ? '\0' : rest_.front(); }
    bool take(char c)
    {
        if (peek() != c) return false;
        rest_.remove_prefix(1);
        return true;
    }
    // Exactly `least` to `most` digits.
    std::optional<int> number(std::size_t least, std::size_t most)
    {
        std::size_t n = 0;
        while (n < rest_.size() && n < most && rest_[n] >= '0' && rest_[n] <= '9') ++n;
        if (n < least) return std::nullopt;
        int out = 0;
        std::from_chars(rest_.data(), rest_.data() + n, out);
        rest_.remove_prefix(n);
        return out;
    }
    std::size_t digits() const
    {
        return static_cast<std::size_t>(std::find_if(rest_.begin(), rest_.end(), [](char c) { return c < '0' || c > '9'; }) - rest_.begin());
    }

private:
    std::string_view rest_;
};

// "Z", "+01:00", "+0100", "+01"; nullopt: something else.
std::optional<int> offset_of(cursor& in)
{
    if (in.take('Z') || in.take('z')) return 0;
    const int sign = in.take('+') ? 1 : in.take('-') ? -1 : 0;
    if (sign == 0) return std::nullopt;
    const auto h = in.number(2, 2);
    if (!h || *h > 14) return std::nullopt;
    in.take(':');
    int m = 0;
    if (!in.done()) {
        const auto given = in.number(2, 2);
        if (!given || *given > 59) return std::nullopt;
        m = *given;
    }
    return sign * (*h * 60 + m);
}

struct found_time {
    core::utc_time at;
    time_source source;
};

std::optional<found_time> in_zone(const local_time& t, const std::string& zone, core::utc_time received)
{
    const auto r = core::to_utc(zone, t, received);
    if (!r) return std::nullopt;
    return found_time{r->at, r->what == core::resolved_time::kind::unique ? time_source::plc : time_source::plc_guessed};
}

std::optional<found_time> time_of(const plant_map& map, std::span<const std::uint16_t> block, const std::string& zone, core::utc_time received, std::string& said)
{
    const auto& f = map.failure;
    if (f.time_format == "text") {
        said = decode_text(map, f.time, block);
        const auto t = parse_time_text(said);
        if (!t) return std::nullopt;
        if (!t->offset_minutes) return in_zone(t->local, zone, received);
        const auto r = core::to_utc("UTC", t->local, received);
        if (!r) return std::nullopt;
        return found_time{r->at - minutes(*t->offset_minutes), time_source::plc};
    }
    if (f.time_format == "epoch") {
        const auto count = decode_value(map, f.time, block).to_scaled(0).value_or(0);
        said = fmt::format("{} s since 1970", count);
        // Before 2000 it is an empty or foreign register.
        if (count < 946684800) return std::nullopt;
        return found_time{core::utc_time(seconds(count)), time_source::plc};
    }
    const auto w = block.subspan(static_cast<std::size_t>(f.time.at), 6);
    const auto t = from_words(w);
    said = t ? text_of(*t) : fmt::format("words {}", fmt::join(w, ","));
    return t ? in_zone(*t, zone, received) : std::nullopt;
}

std::string upper(std::string text)
{
    for (auto& c : text)
        if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    return text;
}

}  // namespace

std::string_view to_string(time_source s) noexcept
{
    switch (s) {
    case time_source::plc: return "plc";
    case time_source::plc_guessed: return "plc_guessed";
    case time_source::receipt: return "receipt";
    }
    return "receipt";
}

int failure_words(const plant_map& map)
{
    const auto& f = map.failure;
    int out = 0;
    for (const auto* part : {&f.equipment_code, &f.info, &f.time, &f.flag}) out = std::max(out, part->at + part->words);
    return out;
}

std::uint16_t failure_flag(const plant_map& map, std::span<const std::uint16_t> block)
{
    return block[static_cast<std::size_t>(map.failure.flag.at)];
}

words failure_content(const plant_map& map, std::span<const std::uint16_t> block)
{
    const auto& f = map.failure;
    words out(block.size(), 0);
    for (const auto* part : {&f.equipment_code, &f.info, &f.time}) std::copy_n(block.begin() + part->at, part->words, out.begin() + part->at);
    return out;
}

bool same_failure(const plant_map& map, std::span<const std::uint16_t> a, std::span<const std::uint16_t> b)
{
    if (a.size() != b.size()) return false;
    return a.empty() || failure_content(map, a) == failure_content(map, b);
}

bool same_block(const plant_map& map, std::span<const std::uint16_t> a, std::span<const std::uint16_t> b)
{
    return same_failure(map, a, b) && (a.empty() || failure_flag(map, a) == failure_flag(map, b));
}

failure_notes notes_on(const plant_map& map, const failure_event& e, const std::string& zone)
{
    failure_notes out;
    if (std::none_of(map.silos.begin(), map.silos.end(), [&](const silo& s) { return s.equipment == e.equipment_code; }))
        out.raised.push_back({"failure_equipment", e.equipment_code,
                              fmt::format("the PLC reports a failure of {} ({}), which is not among the equipment codes of the map's silos: the maintenance request may name no equipment", e.equipment_code, e.info)});
    if (e.source == time_source::receipt) {
        out.raised.push_back({"failure_time", failure_subject,
                              fmt::format("the failure of {} ({}) came without a valid time ({}): the time of receipt, {}, is used", e.equipment_code, e.info, e.time_text.empty() ? "no text" : e.time_text, core::to_iso(e.at))});
        return out;
    }
    out.over.emplace_back("failure_time");
    if (e.doubtful_clock)
        out.raised.push_back({"failure_clock", failure_subject,
                              fmt::format("time zone? The PLC says that the failure of {} ({}) was at {}, which read in PLC_TIMEZONE {} is {}, more than 15 minutes from its receipt. Unless it waited so long to be read, set the zone or the PLC's clock",
                                          e.equipment_code, e.info, e.time_text, zone, core::to_iso(e.at))});
    else out.over.emplace_back("failure_clock");
    return out;
}

std::optional<failure_event> decode_failure(const plant_map& map, std::span<const std::uint16_t> block, const std::string& zone, core::utc_time received)
{
    const auto& f = map.failure;
    failure_event e;
    e.equipment_code = decode_text(map, f.equipment_code, block);
    e.info = decode_text(map, f.info, block);
    const auto says = upper(e.info);
    if (e.equipment_code.empty() || says.empty() || std::find(no_event.begin(), no_event.end(), says) != no_event.end()) return std::nullopt;
    e.raw = failure_content(map, block);
    e.at = received;
    if (const auto t = time_of(map, block, zone, received, e.time_text)) {
        e.at = t->at;
        e.source = t->source;
        const auto gap = e.at > received ? e.at - received : received - e.at;
        e.doubtful_clock = gap > believable_gap;
    }
    return e;
}

std::optional<text_time> parse_time_text(std::string_view text)
{
    cursor in(text);
    text_time out;
    const bool year_first = in.digits() == 4;
    const auto first = in.number(year_first ? 4 : 1, year_first ? 4 : 2);
    const char separator = in.peek();
    if (!first || (separator != '-' && separator != '/' && (separator != '.' || year_first)) || !in.take(separator)) return std::nullopt;
    const auto month = in.number(1, 2);
    if (!month || !in.take(separator)) return std::nullopt;
    const auto last = in.number(year_first ? 1 : 4, year_first ? 2 : 4);
    if (!last) return std::nullopt;
    out.local.year = year_first ? *first : *last;
    out.local.month = *month;
    out.local.day = year_first ? *last : *first;
    const bool iso = year_first && separator == '-';
    if (!(in.take(' ') || (iso && (in.take('T') || in.take('t'))))) return std::nullopt;
    const auto hour = in.number(1, 2);
    if (!hour || !in.take(':')) return std::nullopt;
    const auto minute = in.number(2, 2);
    if (!minute) return std::nullopt;
    out.local.hour = *hour;
    out.local.minute = *minute;
    if (in.take(':')) {
        const auto second = in.number(2, 2);
        if (!second) return std::nullopt;
        out.local.second = *second;
        if (iso && in.take('.') && !in.number(1, 9)) return std::nullopt;
    }
    if (iso && !in.done()) {
        out.offset_minutes = offset_of(in);
        if (!out.offset_minutes) return std::nullopt;
    }
    if (!in.done() || !core::is_valid(out.local)) return std::nullopt;
    return out;
}

}  // namespace batchbridge::domain
