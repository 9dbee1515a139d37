// The FAILURE block: what is an event, and when it was (L-38 to L-42).
#include "unit/domain/example.hpp"

#include "support/catch.hpp"

#include "domain/failure_event.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace core = batchbridge::core;
namespace domain = batchbridge::domain;
using namespace example;
using namespace std::chrono_literals;
using domain::time_source;
using domain::words;

namespace {

core::utc_time utc(const char* text)
{
    return core::from_odoo(text).value();
}

const core::utc_time received = utc("2026-11-24 10:00:00");

// The shipped map's failure block with these six time words.
words block(const std::string& code, const std::string& info, const words& time)
{
    const auto& f = map().failure;
    words out(static_cast<std::size_t>(domain::failure_words(map())), 0);
    domain::encode_text(map(), f.equipment_code, code, out);
    domain::encode_text(map(), f.info, info, out);
    std::copy(time.begin(), time.end(), out.begin() + f.time.at);
    return out;
}

domain::failure_event decode(const words& time, const std::string& zone = "UTC", core::utc_time at = received)
{
    return domain::decode_failure(map(), block("SILO-101", "MOTOR_TRIP", time), zone, at).value();
}

// The shipped map with its time as text or epoch seconds of `width` words.
domain::plant_map map_with(const std::string& format, int width)
{
    auto json = map_json();
    boost::json::object time;
    time["at"] = 30;
    time["format"] = format;
    time["words"] = width;
    json.as_object().at("failure").as_object()["time"] = time;
    return domain::parse_plant_map(boost::json::serialize(json));
}

domain::failure_event decode_text_time(const std::string& text, const std::string& zone = "UTC")
{
    static const auto m = map_with("text", 16);
    words w(static_cast<std::size_t>(domain::failure_words(m)), 0);
    domain::encode_text(m, m.failure.equipment_code, "SILO-101", w);
    domain::encode_text(m, m.failure.info, "MOTOR_TRIP", w);
    domain::encode_text(m, m.failure.time, text, w);
    return domain::decode_failure(m, w, zone, received).value();
}

}  // namespace

TEST_CASE("a failure block without a code, or with an info that says so, is no event")
{
    const words time{2026, 11, 24, 9, 59, 0};
    CHECK_FALSE(domain::decode_failure(map(), block("", "MOTOR_TRIP", time), "UTC", received));
    for (const auto* info : {"", "0", "NONE", "NO_FAILURE", "NO ERROR", "NO_ERROR", "none", "No Error"}) {
        CAPTURE(info);
        CHECK_FALSE(domain::decode_failure(map(), block("SILO-101", info, time), "UTC", received));
    }
    const auto e = domain::decode_failure(map(), block("SILO-101", "MOTOR_TRIP", time), "UTC", received);
    REQUIRE(e);
    CHECK(e->equipment_code == "SILO-101");
    CHECK(e->info == "MOTOR_TRIP");
}

TEST_CASE("the year word decides how the time is coded (L-42)")
{
    const auto wanted = utc("2026-11-24 09:58:07");
    for (const words& time : {words{2026, 11, 24, 9, 58, 7}, words{0x2026, 0x11, 0x24, 0x09, 0x58, 0x07}, words{26, 11, 24, 9, 58, 7}}) {
        const auto e = decode(time);
        CHECK(e.at == wanted);
        CHECK(e.source == time_source::plc);
        CHECK(e.time_text == "2026-11-24 09:58:07");
        CHECK_FALSE(e.doubtful_clock);
    }
}

TEST_CASE("a time that cannot be leaves the time of receipt and the raw words (L-42)")
{
    for (const words& time : {words{0, 0, 0, 0, 0, 0}, words{2026, 13, 1, 0, 0, 0}, words{2026, 2, 29, 0, 0, 0}, words{2026, 11, 24, 24, 0, 0}, words{2026, 11, 24, 9, 60, 0}, words{2026, 11, 24, 9, 0, 60},
                              words{0x2026, 0x1A, 0x24, 9, 0, 0}, words{1999, 1, 1, 0, 0, 0}, words{2100, 1, 1, 0, 0, 0}, words{0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff}}) {
        CAPTURE(time);
        const auto e = decode(time);
        CHECK(e.at == received);
        CHECK(e.source == time_source::receipt);
        CHECK_FALSE(e.doubtful_clock);
        CHECK(words(e.raw.begin() + 16, e.raw.begin() + 22) == time);
    }
}

TEST_CASE("the raw words do not change with the flag")
{
    auto w = block("SILO-101", "MOTOR_TRIP", {2026, 11, 24, 9, 59, 0});
    const auto before = domain::decode_failure(map(), w, "UTC", received)->raw;
    CHECK(domain::failure_flag(map(), w) == 0);
    w[22] = 1;
    CHECK(domain::failure_flag(map(), w) == 1);
    CHECK(domain::decode_failure(map(), w, "UTC", received)->raw == before);
}

TEST_CASE("a PLC's time is local time of its zone, daylight saving included (L-48)")
{
    CHECK(decode({2026, 11, 24, 10, 58, 0}, "Europe/Berlin").at == utc("2026-11-24 09:58:00"));
    CHECK(decode({2026, 7, 1, 12, 0, 0}, "Europe/Berlin", utc("2026-07-01 10:01:00")).at == utc("2026-07-01 10:00:00"));
    CHECK(decode({2026, 11, 24, 15, 28, 0}, "Asia/Kolkata").at == utc("2026-11-24 09:58:00"));
    // 2026-10-25 02:30 happens twice in Berlin: the one nearest to the receipt.
    const auto summer = decode({2026, 10, 25, 2, 30, 0}, "Europe/Berlin", utc("2026-10-25 00:31:00"));
    CHECK(summer.at == utc("2026-10-25 00:30:00"));
    CHECK(summer.source == time_source::plc_guessed);
    CHECK(decode({2026, 10, 25, 2, 30, 0}, "Europe/Berlin", utc("2026-10-25 01:31:00")).at == utc("2026-10-25 01:30:00"));
    // 2026-03-29 02:30 does not happen: a clock that was not put forward yet.
    const auto skipped = decode({2026, 3, 29, 2, 30, 0}, "Europe/Berlin", utc("2026-03-29 01:31:00"));
    CHECK(skipped.at == utc("2026-03-29 01:30:00"));
    CHECK(skipped.source == time_source::plc_guessed);
}

TEST_CASE("a clock more than 15 minutes from the receipt is doubted and all the same kept")
{
    CHECK_FALSE(decode({2026, 11, 24, 9, 45, 0}).doubtful_clock);
    CHECK(decode({2026, 11, 24, 9, 44, 59}).doubtful_clock);
    CHECK_FALSE(decode({2026, 11, 24, 10, 15, 0}).doubtful_clock);
    const auto e = decode({2026, 11, 24, 11, 0, 0});
    CHECK(e.doubtful_clock);
    CHECK(e.at == utc("2026-11-24 11:00:00"));
}

TEST_CASE("a time may be text, with or without a zone")
{
    for (const auto* text : {"2026-11-24T09:58:07Z", "2026-11-24T10:58:07+01:00", "2026-11-24T10:58:07+0100", "2026-11-24T04:28:07-05:30", "2026-11-24 09:58:07", "2026-11-24T09:58:07.250", "2026/11/24 09:58:07", "24/11/2026 09:58:07",
                             "24-11-2026 09:58:07", "24.11.2026 09:58:07", "24.11.2026 9:58:07"}) {
        CAPTURE(text);
        const auto e = decode_text_time(text);
        CHECK(e.source == time_source::plc);
        CHECK(e.at == utc("2026-11-24 09:58:07"));
        CHECK(e.time_text == text);
    }
    for (const auto* text : {"2026-11-24 09:58", "24/11/2026 09:58", "24.11.2026 09:58", "2026-11-24T09:58Z"}) CHECK(decode_text_time(text).at == utc("2026-11-24 09:58:00"));
    // Its own zone counts, not the line's.
    CHECK(decode_text_time("2026-11-24T09:58:07Z", "Asia/Kolkata").at == utc("2026-11-24 09:58:07"));
    CHECK(decode_text_time("2026-11-24 15:28:07", "Asia/Kolkata").at == utc("2026-11-24 09:58:07"));
    for (const auto* text : {"", "yesterday", "2026-11-24", "2026-13-24 09:58:07", "24/11/26 09:58:07", "2026-11-24 09:58:07 x", "2026-11/24 09:58:07", "2026-11-24T09:58:07+25:00", "2026.11.24 09:58:07", "2026-11-24 0958", "31/11/2026 00:00"}) {
        CAPTURE(text);
        CHECK(decode_text_time(text).source == time_source::receipt);
    }
}

TEST_CASE("a time may be seconds since 1970")
{
    const auto m = map_with("epoch", 2);
    words w(static_cast<std::size_t>(domain::failure_words(m)), 0);
    domain::encode_text(m, m.failure.equipment_code, "SILO-101", w);
    domain::encode_text(m, m.failure.info, "MOTOR_TRIP", w);
    CHECK(domain::decode_failure(m, w, "UTC", received)->source == time_source::receipt);
    domain::encode_value(m, m.failure.time, core::decimal(1795514287), w);
    const auto e = domain::decode_failure(m, w, "Europe/Berlin", received);
    CHECK(e->source == time_source::plc);
    CHECK(e->at == utc("2026-11-24 09:58:07"));
}

TEST_CASE("the worked examples of 32-bit values come out of the codec (L-41)")
{
    const auto& f = map().silos.front().quantity;
    words slot(static_cast<std::size_t>(map().slots.words), 0);
    const auto words_of = [&](const core::decimal& kilograms) {
        domain::encode_value(map(), f, kilograms, slot);
        return words(slot.begin() + f.at, slot.begin() + f.at + f.words);
    };
    // 250000 and 90000 hundredths of a kilogram.
    CHECK(words_of(kg("2500.00")) == words{3, 53392});
    CHECK(words_of(kg("900.00")) == words{1, 24464});
    CHECK(words_of(kg("1000.00")) == words{0x0001, 0x86A0});
    slot[static_cast<std::size_t>(f.at)] = 3;
    slot[static_cast<std::size_t>(f.at) + 1] = 53392;
    CHECK(domain::decode_value(map(), f, slot) == kg("2500.00"));
    // The failure block's seconds are such a pair too.
    const auto m = map_with("epoch", 2);
    words block_words(static_cast<std::size_t>(domain::failure_words(m)), 0);
    domain::encode_value(m, m.failure.time, core::decimal(250000), block_words);
    CHECK(words(block_words.begin() + 30, block_words.begin() + 32) == words{3, 53392});
}

TEST_CASE("a failure block has one way to say where it is and every other is refused at the start (L-40)")
{
    for (const std::string start : {R"("8000")", R"("D8000")", R"("8000-8022")", R"("D8000..D8022")", R"("8000, 8022")", "[8000, 8022]", R"({"from": 8000, "to": 8022})", "-1", "65536", "8000.5", "null"}) {
        CAPTURE(start);
        auto json = map_json();
        json.at("failure").as_object()["start"] = boost::json::parse(start);
        const auto faults = faults_of(json);
        CHECK_THAT(joined(faults), Catch::Contains("failure.start: expected a whole number from 0 to 65535"));
    }
    for (const std::string at : {R"("16-21")", R"("D8016")", "[16, 21]"}) {
        CAPTURE(at);
        auto json = map_json();
        json.at("failure").at("time").as_object()["at"] = boost::json::parse(at);
        CHECK_THAT(joined(faults_of(json)), Catch::Contains("failure.time.at: expected a whole number"));
    }
    auto json = map_json();
    json.at("failure").as_object()["range"] = "8000-8022";
    json.at("failure").at("info").as_object()["to"] = 15;
    const auto all = joined(faults_of(json));
    CHECK_THAT(all, Catch::Contains("failure.range: unknown key"));
    CHECK_THAT(all, Catch::Contains("failure.info.to: unknown key"));
    // The predecessor's second spelling put the fields over each other: seen, and not found out by no event being valid.
    json = map_json();
    json.at("failure").at("time").as_object()["at"] = 15;
    CHECK_THAT(joined(faults_of(json)), Catch::Contains("overlap"));
}

TEST_CASE("what the map does not name is no part of an event")
{
    const auto m = map_with("text", 8);   // words 23 to 29 are nobody's
    words a(static_cast<std::size_t>(domain::failure_words(m)), 0);
    domain::encode_text(m, m.failure.equipment_code, "SILO-101", a);
    domain::encode_text(m, m.failure.info, "MOTOR_TRIP", a);
    domain::encode_text(m, m.failure.time, "24.11.2026 09:58", a);
    auto b = a;
    b[25] = 4711;
    CHECK(domain::same_failure(m, a, b));
    CHECK(domain::same_block(m, a, b));
    CHECK(domain::decode_failure(m, a, "UTC", received)->raw == domain::decode_failure(m, b, "UTC", received)->raw);
    b[22] = 1;
    CHECK(domain::same_failure(m, a, b));
    CHECK_FALSE(domain::same_block(m, a, b));
    b = a;
    b[30] ^= 1;
    CHECK_FALSE(domain::same_failure(m, a, b));
    CHECK_FALSE(domain::same_block(m, a, words()));
    CHECK(domain::same_block(m, words(), words()));
}

TEST_CASE("daylight saving of either half of the world with gaps and overlaps of other sizes (L-48)")
{
    // Lord Howe goes half an hour back on 2026-04-05 at 02:00 and forward on 2026-10-04 at 02:00.
    const auto repeated = decode({2026, 4, 5, 1, 45, 0}, "Australia/Lord_Howe", utc("2026-04-04 14:46:00"));
    CHECK(repeated.at == utc("2026-04-04 14:45:00"));
    CHECK(repeated.source == time_source::plc_guessed);
    CHECK(decode({2026, 4, 5, 1, 45, 0}, "Australia/Lord_Howe", utc("2026-04-04 15:16:00")).at == utc("2026-04-04 15:15:00"));
    const auto left_out = decode({2026, 10, 4, 2, 15, 0}, "Australia/Lord_Howe", utc("2026-10-03 15:46:00"));
    CHECK(left_out.at == utc("2026-10-03 15:45:00"));
    CHECK(left_out.source == time_source::plc_guessed);
    // The first and last second of the repeated hour, and the seconds beside it.
    CHECK(decode({2026, 10, 25, 1, 59, 59}, "Europe/Berlin", utc("2026-10-25 00:00:00")).source == time_source::plc);
    CHECK(decode({2026, 10, 25, 2, 0, 0}, "Europe/Berlin", utc("2026-10-25 00:00:00")).source == time_source::plc_guessed);
    CHECK(decode({2026, 10, 25, 2, 59, 59}, "Europe/Berlin", utc("2026-10-25 00:00:00")).source == time_source::plc_guessed);
    CHECK(decode({2026, 10, 25, 3, 0, 0}, "Europe/Berlin", utc("2026-10-25 02:00:00")).at == utc("2026-10-25 02:00:00"));
    CHECK(decode({2026, 10, 25, 3, 0, 0}, "Europe/Berlin", utc("2026-10-25 02:00:00")).source == time_source::plc);
    CHECK(decode({2026, 3, 29, 1, 59, 59}, "Europe/Berlin", utc("2026-03-29 01:00:00")).at == utc("2026-03-29 00:59:59"));
    CHECK(decode({2026, 3, 29, 3, 0, 0}, "Europe/Berlin", utc("2026-03-29 01:00:00")).at == utc("2026-03-29 01:00:00"));
    CHECK(decode({2026, 3, 29, 3, 0, 0}, "Europe/Berlin", utc("2026-03-29 01:00:00")).source == time_source::plc);
    // Text is read in the same way.
    CHECK(decode_text_time("25.10.2026 02:30", "Europe/Berlin").source == time_source::plc_guessed);
    CHECK(decode_text_time("2026-10-25T02:30:00+02:00", "Europe/Berlin").at == utc("2026-10-25 00:30:00"));
    CHECK(decode_text_time("2026-10-25T02:30:00+02:00", "Europe/Berlin").source == time_source::plc);
}

TEST_CASE("an event is noted for what is wrong with it and ends the notes that it disproves")
{
    const auto kinds = [](const domain::failure_event& e) {
        const auto notes = domain::notes_on(map(), e, "UTC");
        std::string out;
        for (const auto& n : notes.raised) out += "+" + n.kind + " " + n.subject + " ";
        for (const auto& k : notes.over) out += "-" + k + " ";
        return out;
    };
    CHECK(kinds(decode({2026, 11, 24, 9, 59, 0})) == "-failure_time -failure_clock ");
    CHECK(kinds(decode({2026, 11, 24, 8, 0, 0})) == "+failure_clock plc -failure_time ");
    CHECK(kinds(decode({0, 0, 0, 0, 0, 0})) == "+failure_time plc ");
    const auto e = domain::decode_failure(map(), block("MIXER-1", "MOTOR_TRIP", {2026, 11, 24, 9, 59, 0}), "UTC", received);
    CHECK(kinds(*e) == "+failure_equipment MIXER-1 -failure_time -failure_clock ");
    const auto notes = domain::notes_on(map(), decode({2026, 11, 24, 8, 0, 0}), "Europe/Berlin");
    CHECK_THAT(notes.raised.front().text, Catch::Contains("time zone?") && Catch::Contains("Europe/Berlin") && Catch::Contains("2026-11-24 08:00:00") && Catch::Contains("SILO-101"));
    CHECK_THAT(domain::notes_on(map(), decode({1, 2, 3, 4, 5, 66}), "UTC").raised.front().text, Catch::Contains("words 1,2,3,4,5,66"));
}
