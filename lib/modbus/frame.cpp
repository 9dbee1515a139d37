#include "modbus/frame.hpp"

#include <fmt/format.h>

namespace batchbridge::modbus {

namespace {

constexpr std::uint8_t read_function = 3, write_single_function = 6, write_function = 16, exception_bit = 0x80;
// Transaction (2), protocol (2), length of what follows (2), unit, function.
constexpr std::size_t protocol_at = 2, length_at = 4, unit_at = 6, function_at = 7, data_at = 8;

void put(frame& f, int word)
{
    f.push_back(static_cast<std::uint8_t>(word >> 8));
    f.push_back(static_cast<std::uint8_t>(word));
}

int word_at(std::span<const std::uint8_t> f, std::size_t at)
{
    return (f[at] << 8) | f[at + 1];
}

frame head(std::uint16_t transaction, int unit, std::uint8_t function, std::size_t data)
{
    frame f;
    f.reserve(data_at + data);
    put(f, transaction);
    put(f, 0);
    put(f, static_cast<int>(2 + data));
    f.push_back(static_cast<std::uint8_t>(unit));
    f.push_back(function);
    return f;
}

judgement wrong(std::string fault)
{
    return {judgement::kind::wrong, 0, std::move(fault)};
}

judgement differs(const char* what, int found, int expected)
{
    return wrong(fmt::format("{} {} instead of {}", what, found, expected));
}

// What the function itself says, after the header was found good.
judgement judge_data(const frame& request, std::span<const std::uint8_t> answer)
{
    const bool read = request[function_at] == read_function;
    const std::size_t whole =
        read ? data_at + 1 + 2 * static_cast<std::size_t>(word_at(request, data_at + 2)) : data_at + 4;
    if (read && answer.size() > data_at) {
        const int asked = word_at(request, data_at + 2);
        if (answer[data_at] != 2 * asked) return differs("byte count", answer[data_at], 2 * asked);
    }
    if (answer.size() != whole) return wrong(fmt::format("{} bytes instead of {}", answer.size(), whole));
    if (read) return {};
    if (word_at(answer, data_at) != word_at(request, data_at))
        return differs("address", word_at(answer, data_at), word_at(request, data_at));
    if (word_at(answer, data_at + 2) != word_at(request, data_at + 2))
        return differs(request[function_at] == write_function ? "register count" : "value",
                       word_at(answer, data_at + 2), word_at(request, data_at + 2));
    return {};
}

}  // namespace

frame read_request(std::uint16_t transaction, int unit, int address, int count)
{
    auto f = head(transaction, unit, read_function, 4);
    put(f, address);
    put(f, count);
    return f;
}

frame write_request(std::uint16_t transaction, int unit, int address, std::span<const std::uint16_t> values)
{
    auto f = head(transaction, unit, write_function, 5 + 2 * values.size());
    put(f, address);
    put(f, static_cast<int>(values.size()));
    f.push_back(static_cast<std::uint8_t>(2 * values.size()));
    for (const auto v : values)
        put(f, v);
    return f;
}

frame write_single_request(std::uint16_t transaction, int unit, int address, std::uint16_t value)
{
    auto f = head(transaction, unit, write_single_function, 4);
    put(f, address);
    put(f, value);
    return f;
}

judgement judge_answer(const frame& request, std::span<const std::uint8_t> answer)
{
    if (answer.size() <= data_at) return wrong(fmt::format("only {} bytes", answer.size()));
    if (word_at(answer, 0) != word_at(request, 0))
        return differs("transaction", word_at(answer, 0), word_at(request, 0));
    if (word_at(answer, protocol_at) != 0) return differs("protocol", word_at(answer, protocol_at), 0);
    if (const auto length = word_at(answer, length_at); static_cast<std::size_t>(length) != answer.size() - unit_at)
        return differs("length", length, static_cast<int>(answer.size() - unit_at));
    if (answer[unit_at] != request[unit_at]) return differs("unit", answer[unit_at], request[unit_at]);
    if (answer[function_at] == (request[function_at] | exception_bit)) {
        if (answer.size() != data_at + 1) return wrong(fmt::format("an exception of {} bytes", answer.size()));
        return {judgement::kind::exception, answer[data_at], {}};
    }
    if (answer[function_at] != request[function_at])
        return differs("function", answer[function_at], request[function_at]);
    return judge_data(request, answer);
}

std::vector<std::uint16_t> registers_in(std::span<const std::uint8_t> answer)
{
    std::vector<std::uint16_t> out;
    out.reserve((answer.size() - data_at) / 2);
    for (auto at = data_at + 1; at + 1 < answer.size(); at += 2)
        out.push_back(static_cast<std::uint16_t>(word_at(answer, at)));
    return out;
}

}  // namespace batchbridge::modbus
