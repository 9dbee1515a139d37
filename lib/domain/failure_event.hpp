// The FAILURE block of a PLC (design section 4, FAILURE): is it an event, what does it say, and when was it. Pure: the
// words, the zone and the time of receipt in, an event out. Not for storing or acknowledging it.
#pragma once

#include "core/time.hpp"
#include "core/timezone.hpp"
#include "domain/plant_map.hpp"
#include "domain/slot.hpp"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace batchbridge::domain {

// equipment_failure.time_source
enum class time_source {
    plc,           // the PLC's clock, read in the line's zone
    plc_guessed,   // the same, in the hour that daylight saving repeats or leaves out
    receipt        // no valid time in the block: the time of receipt
};
std::string_view to_string(time_source s) noexcept;

struct failure_event {
    std::string equipment_code;   // "SILO-101"
    std::string info;             // the description
    core::utc_time at{};
    time_source source = time_source::receipt;
    std::string time_text;        // what the time registers say, for people: "2026-11-24 10:46:09" or why it is none
    bool doubtful_clock = false;  // the PLC's time is more than 15 min from the receipt: alert "time zone?"
    words raw;                    // failure_content of the block
};

// How many words are read: the whole block, flag included.
int failure_words(const plant_map& map);
// flag: 0 = new, 1 = read. Anything else is no flag the handshake knows.
std::uint16_t failure_flag(const plant_map& map, std::span<const std::uint16_t> block);

// The block without its flag, and without registers between the fields: what the map does not name is no part of an event,
// and a counter there must not make two events out of one. Words left out are 0.
words failure_content(const plant_map& map, std::span<const std::uint16_t> block);
bool same_failure(const plant_map& map, std::span<const std::uint16_t> a, std::span<const std::uint16_t> b);
// The flag too.
bool same_block(const plant_map& map, std::span<const std::uint16_t> a, std::span<const std::uint16_t> b);

// nullopt: no event (empty code, or an info that says so). `received` is the time of receipt, `zone` PLC_TIMEZONE.
std::optional<failure_event> decode_failure(const plant_map& map, std::span<const std::uint16_t> block, const std::string& zone, core::utc_time received);

// What a person should know beside the event. A later event with a good time ends `failure_clock` and `failure_time`.
struct failure_note {
    std::string kind;             // failure_clock, failure_time (about the PLC), failure_equipment (about the code)
    std::string subject, text;
};
struct failure_notes {
    std::vector<failure_note> raised;
    std::vector<std::string> over;   // kinds, with subject failure_subject
};
inline constexpr const char* failure_subject = "plc";
failure_notes notes_on(const plant_map& map, const failure_event& e, const std::string& zone);

// "2026-11-24T10:46:09Z", "2026-11-24 10:46:09", "2026/11/24 10:46", "24/11/2026 ..", "24-11-2026 ..", "24.11.2026 ..";
// seconds optional, ISO with "Z" or an offset. Day before month, as the plants of this product write it.
struct text_time {
    core::local_time local;
    std::optional<int> offset_minutes;   // given: the time has a zone of its own
};
std::optional<text_time> parse_time_text(std::string_view text);

}  // namespace batchbridge::domain
