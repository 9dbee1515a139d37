#include "domain/register_table.hpp"

#include "domain/failure_event.hpp"
#include "support/catch.hpp"
#include "unit/domain/example.hpp"

#include <boost/json/serialize.hpp>

using namespace batchbridge;
using Catch::Contains;
using domain::words;
using example::joined;

namespace {

const domain::register_row& row(const std::vector<domain::register_row>& rows, const std::string& block, const std::string& name)
{
    const auto it = std::find_if(rows.begin(), rows.end(), [&](const auto& r) { return r.block == block && r.name == name; });
    INFO(block << " " << name);
    REQUIRE(it != rows.end());
    return *it;
}

const domain::encoding_example& example_of(const std::vector<domain::encoding_example>& all, const std::string& type, const std::string& value)
{
    const auto it = std::find_if(all.begin(), all.end(), [&](const auto& e) { return e.type == type && e.value == value; });
    INFO(type << " " << value);
    REQUIRE(it != all.end());
    return *it;
}

}  // namespace

TEST_CASE("each register has the address of the PLC's programmer and the one on the wire (field.md row 7)")
{
    auto v = example::map_json();
    v.as_object()["address_offset"] = -1;
    const auto m = domain::parse_plant_map(boost::json::serialize(v));
    const auto rows = domain::expand(m);
    const auto& r = row(rows, "READ 1", "mo_id");
    CHECK(r.plc_address == 6001);
    CHECK(r.address == 6000);
    CHECK(row(rows, "FAILURE", "flag").plc_address == 8022);
    CHECK(row(rows, "FAILURE", "flag").address == 8021);
    const auto said = joined(domain::addresses_in_words(m));
    CHECK_THAT(said, Contains("PLC 6000, wire 5999"));
    CHECK_THAT(said, Contains("tools that count from 1 call it 6000, Modicon notation 406000"));
    CHECK_THAT(said, Contains("wire = PLC - 1 (address_offset)"));
    const auto shipped = joined(domain::addresses_in_words(example::map()));
    CHECK_THAT(shipped, Contains("PLC 6000, wire 6000") && Contains("Modicon notation 406001") && Contains("in one request of 77"));
}

TEST_CASE("each register says who writes it, its order and its unit")
{
    const auto rows = domain::expand(example::map());
    CHECK(row(rows, "READ 3", "silo_107_quantity").writer == "PLC");
    CHECK(row(rows, "READ 3", "silo_107_quantity").unit == "kg");
    CHECK(row(rows, "READ 3", "silo_107_quantity").order == "ABCD");
    CHECK(row(rows, "READ 3", "silo_107_id").unit.empty());
    CHECK(row(rows, "READ 3", "silo_107_id").order.empty());
    CHECK(row(rows, "READ 3", "mo_id").order == "high");
    CHECK(row(rows, "READ 3", "status_read_data").writer == "both");
    CHECK(row(rows, "READ 3", "status_manufacturing").writer == "PLC");
    CHECK(row(rows, "WRITE 3", "silo_107_quantity").writer == "batchbridge");
    CHECK(row(rows, "WRITE 1", "status_read_data").writer == "both");
    CHECK(row(rows, "FAILURE", "info").writer == "PLC");
    CHECK(row(rows, "FAILURE", "flag").writer == "both");
}

TEST_CASE("the worked examples come out of the codec (L-41)")
{
    const auto all = domain::encoding_examples(example::map());
    const auto& mass = example_of(all, "i32 /100 ABCD", "1000.00");
    CHECK(mass.unit == "kg");
    CHECK(mass.registers == words{0x0001, 0x86A0});
    CHECK(domain::show_registers(mass.registers) == "1,34464 (0x0001 0x86A0)");
    CHECK(example_of(all, "ascii16 high byte first", "\"WH/MO/00014\"").registers == words{22344, 12109, 20271, 12336, 12337, 13312, 0, 0});
    CHECK(example_of(all, "bool", "1").registers == words{1});
    CHECK(example_of(all, "u16", "1000").registers == words{1000});
    CHECK(example_of(all, "6 x u16", "2026-11-24 10:46:09 as BCD").registers == words{0x2026, 0x11, 0x24, 0x10, 0x46, 0x09});
    CHECK(all.size() == 6);
    // Both times are what the decoder takes for this time.
    for (const auto& e : all) {
        if (e.type != "6 x u16") continue;
        words block(23, 0);
        domain::encode_text(example::map(), example::map().failure.equipment_code, "SILO-101", block);
        domain::encode_text(example::map(), example::map().failure.info, "JAM", block);
        std::copy(e.registers.begin(), e.registers.end(), block.begin() + 16);
        const auto event = domain::decode_failure(example::map(), block, "UTC", core::utc_now());
        REQUIRE(event);
        CHECK(event->time_text == "2026-11-24 10:46:09");
    }
    // What the predecessor's documentation had wrong: 250000 is 3,53392 and 90000 is 1,24464.
    words wrong(2);
    domain::field f;
    f.type = domain::value_type::i32;
    f.words = 2;
    domain::encode_value(example::map(), f, 250000, wrong);
    CHECK(wrong == words{3, 53392});
    domain::encode_value(example::map(), f, 90000, wrong);
    CHECK(wrong == words{1, 24464});
}

TEST_CASE("the examples follow the map's orders and widths")
{
    const auto dcba = domain::encoding_examples(example::map(domain::word_order::dcba, domain::ascii_order::low));
    CHECK(example_of(dcba, "i32 /100 DCBA", "1000.00").registers == words{0xA086, 0x0100});
    CHECK(example_of(dcba, "ascii16 low byte first", "\"WH/MO/00014\"").registers.front() == 0x4857);
    auto v = example::map_json();
    // A value of one register holds 327.67 at most: the example is one that fits.
    v.as_object()["silos"].as_array()[0].as_object()["type"] = "i16";
    auto& failure = v.as_object()["failure"].as_object();
    failure["time"] = {{"at", 16}, {"format", "epoch"}};
    const auto small = domain::encoding_examples(domain::parse_plant_map(boost::json::serialize(v)));
    CHECK(example_of(small, "i16 /100", "100.00").registers == words{10000});
    CHECK(example_of(small, "u32 ABCD", "2026-11-24 10:46:09 UTC, seconds since 1970").registers == words{0x6B05, 0x6AF1});
}

TEST_CASE("the handshake is told in words with the map's own addresses")
{
    const auto said = joined(domain::handshake_in_words(example::map()));
    CAPTURE(said);
    CHECK_THAT(said, Contains("loads when 7076 is 1 or 7001..7008 is empty"));
    CHECK_THAT(said, Contains("slot 1 with its mo_id and 7076 = 0"));
    CHECK_THAT(said, Contains("sets 6072 (made) or 6073 (given up) to 1"));
    CHECK_THAT(said, Contains("batchbridge sets 6076 to 1"));
    CHECK_THAT(said, Contains("from 8000 on, then sets 8022 to 0"));
    auto m = example::map();
    m.limits.max_write = 20;
    m.limits.max_read = 20;
    CHECK_THAT(joined(domain::handshake_in_words(m)), Contains("7076 = 0, then the mo_id of slot 1 in one request"));
    CHECK_THAT(joined(domain::addresses_in_words(m)), Contains("in 6 requests of at most 20 registers"));
}
