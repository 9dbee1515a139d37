// Modbus TCP frames: requests made, answers compared with them. Pure. libmodbus sends nothing for us, because only its
// own calls give a request a transaction number (its raw requests have number 0), and those hide the answer's header:
// on TCP it compares neither the unit nor the length of the header, of the protocol number only that not both bytes are
// wrong, and of a write's answer not the address. Source: MODBUS Messaging on TCP/IP Implementation Guide V1.0b,
// section 3.1.3; Application Protocol V1.1b3, sections 6.3, 6.6, 6.12 and 7.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace batchbridge::modbus {

using frame = std::vector<std::uint8_t>;

// FC03, FC16, FC06. The caller has checked addresses and counts against the limits of a PDU.
frame read_request(std::uint16_t transaction, int unit, int address, int count);
frame write_request(std::uint16_t transaction, int unit, int address, std::span<const std::uint16_t> values);
frame write_single_request(std::uint16_t transaction, int unit, int address, std::uint16_t value);

struct judgement {
    enum class kind {
        fits,       // the answer to this request, whole
        exception,  // the device's exception to this request; `code` says which
        wrong       // not the answer to this request; `fault` says why
    } what = kind::fits;
    int code = 0;
    std::string fault;
};

// Compares transaction, protocol, length, unit, function, and what the function repeats of the request. Pure.
judgement judge_answer(const frame& request, std::span<const std::uint8_t> answer);
// The registers of an answer to FC03 that fits.
std::vector<std::uint16_t> registers_in(std::span<const std::uint8_t> answer);

}  // namespace batchbridge::modbus
