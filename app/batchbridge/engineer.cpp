// snapshot and replay: the commands with which an engineer looks at what a PLC holds, and at what it held.
#include "commands.hpp"

#include "domain/replay.hpp"
#include "domain/snapshot.hpp"
#include "options.hpp"
#include "plc/modbus_device.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <fstream>

namespace batchbridge::app {

namespace asio = boost::asio;
namespace po = boost::program_options;

namespace {

constexpr const char* snapshot_help = R"(usage: batchbridge snapshot [--line NAME] [--format csv|json] [--output FILE]

Reads every READ and WRITE slot and the failure block of one PLC and prints each value decoded beside its raw
words. It only reads: it never writes to the PLC, needs neither database nor Odoo, and takes no line. It may run
while the service runs, on a connection of its own; a PLC that allows one connection refuses it then.
CSV begins with the columns field_name, dm_address, data_type, scale, raw_words (words separated by '|');
JSON is one document with the map's facts. Exit code 1 when a block could not be read; the others are printed.
)";

constexpr const char* replay_help = R"(usage: batchbridge replay FILE [--map FILE | --line NAME]

Decodes a snapshot (ours as CSV or JSON, or the predecessor's CSV with the columns field_name, dm_address, data_type,
scale, raw_words) with the plant map of today: the values, what is doubtful about them, and what was read
differently when the file was written. Connects to nothing. Without --map or --line it takes the map of the only
configured line (PLC_MAP, conf/plc-map.json when that is unset).
Exit code 0 when the map reads every recorded value as it was recorded, 1 when not or when the file cannot be read.
)";

std::optional<std::string> text_of(const po::variables_map& options, const char* name)
{
    if (options.count(name) == 0) return std::nullopt;
    return options[name].as<std::string>();
}

// One block, as well as it can be read.
asio::awaitable<domain::block_image> read_block(plc::device& device, domain::register_block block)
{
    domain::block_image out;
    out.block = block;
    if (block.area == domain::register_area::read) {
        const domain::words nothing_known;
        auto seen = co_await device.observe(block.slot, nothing_known);
        out.consistent = seen.what == plc::observation::kind::accepted;
        if (out.consistent) out.image = std::move(seen.image);
        else out.image = co_await device.read_slot(plc::area::read, block.slot);
    } else if (block.area == domain::register_area::write) {
        out.image = co_await device.read_slot(plc::area::write, block.slot);
    } else {
        out.image = co_await device.read_registers(block.address, block.words);
    }
    co_return out;
}

// Blocks that the PLC refuses are told on stderr and left out; a lost connection ends it.
domain::snapshot take(const plc_line& from, bool& complete)
{
    domain::snapshot out;
    out.line = from.line.name;
    out.map_file = from.line.map;
    out.taken = core::utc_now();
    const auto body = [&](asio::any_io_executor executor) -> asio::awaitable<void> {
        const auto device = plc::make_modbus_device(executor, from.line, from.map, [] { return false; });
        out.plc = device->name();
        for (const auto& block : domain::blocks_of(from.map)) {
            std::string refused;
            try {
                auto image = co_await read_block(*device, block);
                out.blocks.push_back(std::move(image));
            } catch (const plc::error& e) {
                if (e.kind() != core::error_kind::rejected) throw;
                refused = e.what();
            }
            if (refused.empty()) continue;
            fmt::print(stderr, "snapshot: {}: {}\n", block.name(), refused);
            complete = false;
        }
    };
    run_alone(body);
    return out;
}

bool write_out(const std::optional<std::string>& path, const std::string& text)
{
    if (!path) {
        return std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0;
    }
    std::ofstream file(*path, std::ios::binary | std::ios::trunc);
    file << text << std::flush;
    if (!file) fmt::print(stderr, "snapshot: '{}' cannot be written: does the directory exist, and may you write there?\n", *path);
    return static_cast<bool>(file);
}

}  // namespace

int snapshot(const arguments& args)
{
    po::options_description known("options");
    known.add_options()("line", po::value<std::string>(), "the line, when LINES_FILE has several")("format", po::value<std::string>()->default_value("csv"), "csv or json")(
        "output", po::value<std::string>(), "a file instead of standard output");
    const auto options = parse_options(args, snapshot_help, std::move(known));
    if (!options) return exit_code::ok;
    const auto format = (*options)["format"].as<std::string>();
    if (format != "csv" && format != "json") throw usage_error(fmt::format("--format '{}' is not csv or json", format), snapshot_help);
    const auto from = choose_line(text_of(*options, "line"), snapshot_help);
    core::log::init(core::log::level::error, core::log::format::text);
    bool complete = true;
    try {
        const auto picture = take(from, complete);
        const auto text = format == "csv" ? domain::snapshot_csv(from.map, picture) : domain::snapshot_json(from.map, picture);
        if (!write_out(text_of(*options, "output"), text)) return exit_code::failure;
    } catch (const plc::error& e) {
        fmt::print(stderr, "snapshot: {}. To do: is the PLC on, are its host, port and unit id right ('batchbridge probe')? A PLC that allows few connections refuses this one while "
                           "batchbridge or another client holds them: stop that one, or set quirks.close_after_cycle\n",
                   e.what());
        return exit_code::failure;
    }
    return complete ? exit_code::ok : exit_code::failure;
}

int replay(const arguments& args)
{
    po::options_description known("options");
    known.add_options()("file", po::value<std::string>(), "the snapshot")("map", po::value<std::string>(), "decode with this map")("line", po::value<std::string>(), "decode with this line's map");
    const auto options = parse_options(args, replay_help, std::move(known), "file");
    if (!options) return exit_code::ok;
    const auto path = text_of(*options, "file"), map_file = text_of(*options, "map"), line = text_of(*options, "line");
    if (!path) throw usage_error("replay needs the file of a snapshot", replay_help);
    if (map_file && line) throw usage_error("--map and --line are both given, expected one of them", replay_help);
    const auto chosen = choose_map(map_file, line, replay_help);
    std::string text;
    try {
        text = core::real_files()(*path);
    } catch (const std::runtime_error& e) {
        fmt::print(stderr, "replay: '{}' cannot be read: {}\n", *path, e.what());
        return exit_code::failure;
    }
    try {
        const auto report = domain::replay(chosen.map, domain::read_snapshot(text));
        fmt::print("{} with {}\n", *path, chosen.path);
        for (const auto& out : domain::replay_table(report)) fmt::print("{}\n", out);
        return report.differences == 0 ? exit_code::ok : exit_code::failure;
    } catch (const domain::snapshot_error& e) {
        for (const auto& fault : e.faults()) fmt::print(stderr, "replay: {}: {}\n", *path, fault);
        return exit_code::failure;
    }
}

}  // namespace batchbridge::app
