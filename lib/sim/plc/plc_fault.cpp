#include "sim/plc/plc_fault.hpp"

#include <algorithm>

namespace batchbridge::sim {

namespace {

constexpr std::size_t transaction_at = 1, length_at = 5, unit_at = 6, function_at = 7, byte_count_at = 8, register_count_at = 11;
constexpr std::uint8_t read_registers = 3, write_registers = 16;

void before(wire_bytes& frame)
{
    if (frame[transaction_at]-- == 0) --frame[transaction_at - 1];
}

// One register more or less. An answer of 125 registers has no room for one more.
void change_count(wire_bytes& frame, int by)
{
    if (frame.size() <= byte_count_at) return;
    if (frame[function_at] == write_registers) {
        frame[register_count_at] = static_cast<std::uint8_t>(frame[register_count_at] + by);
    } else if (frame[function_at] == read_registers) {
        for (const auto at : {length_at, byte_count_at}) frame[at] = static_cast<std::uint8_t>(frame[at] + 2 * by);
        frame.resize(static_cast<std::size_t>(static_cast<int>(frame.size()) + 2 * by));
    }
}

wire_bytes joined(wire_bytes first, const wire_bytes& second)
{
    first.insert(first.end(), second.begin(), second.end());
    return first;
}

}  // namespace

const std::vector<std::string_view>& fault_kinds()
{
    static const std::vector<std::string_view> kinds{"hang",       "silence",     "delay",      "drop_after", "reset",          "exception",   "torn_slot", "byte_by_byte", "split", "glued", "late",
                                                     "wrong_transaction", "wrong_unit", "short_count", "long_count", "refuse", "half_open", "one_connection", "slow_accept", "reboot"};
    return kinds;
}

bool is_connection_fault(std::string_view kind)
{
    static constexpr std::string_view kinds[] = {"refuse", "half_open", "one_connection", "slow_accept", "reboot"};
    return std::find(std::begin(kinds), std::end(kinds), kind) != std::end(kinds);
}

bool is_answer_fault(std::string_view kind)
{
    static constexpr std::string_view kinds[] = {"byte_by_byte", "split", "glued", "late", "wrong_transaction", "wrong_unit", "short_count", "long_count"};
    return std::find(std::begin(kinds), std::end(kinds), kind) != std::end(kinds);
}

std::vector<piece> spoil_answer(const plc_fault& f, wire_bytes answer, wire_bytes foreign)
{
    std::vector<piece> out;
    const auto whole = [&](wire_bytes frame) { out.push_back({std::chrono::milliseconds(0), std::move(frame)}); };
    if (f.kind == "byte_by_byte") {
        for (const auto byte : answer) out.push_back({f.delay, {byte}});
    } else if (f.kind == "split") {
        const auto half = answer.begin() + static_cast<std::ptrdiff_t>(answer.size() / 2);
        out.push_back({std::chrono::milliseconds(0), {answer.begin(), half}});
        out.push_back({f.delay, {half, answer.end()}});
    } else if (f.kind == "glued") {
        before(foreign);
        whole(joined(std::move(answer), foreign));
    } else if (f.kind == "late") {
        before(foreign);
        whole(joined(std::move(foreign), answer));
    } else if (f.kind == "wrong_transaction") {
        before(foreign);
        whole(std::move(foreign));
    } else if (f.kind == "wrong_unit") {
        ++foreign[unit_at];
        whole(std::move(foreign));
    } else if (f.kind == "short_count" || f.kind == "long_count") {
        change_count(answer, f.kind == "short_count" ? -1 : 1);
        whole(std::move(answer));
    } else {
        whole(std::move(answer));
    }
    return out;
}

}  // namespace batchbridge::sim
