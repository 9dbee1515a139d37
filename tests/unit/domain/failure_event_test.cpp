// The FAILURE block: what is an event, and when it was (L-38 to L-42).
#include "unit/domain/example.hpp"

#include "support/catch.hpp"

#include "domain/failure_event.hpp"

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
