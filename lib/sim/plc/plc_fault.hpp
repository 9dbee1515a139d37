// The simulator's link faults, and what the frame faults make of a good answer. Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace batchbridge::sim {

// A fault that hits the next `count` requests it fits (0 = until cleared).
struct plc_fault {
    // Of a request:
    // hang              executed by nobody and never answered, the connection stays; `silence` is another word for it
    // delay             answered `delay` late
    // drop_after        executed, then the connection is closed instead of an answer
    // reset             not executed, the connection ends with RST
    // exception         answered with exception `code`
    // torn_slot         a read of READ slot `slot` has one word of a quantity that is not 0 old and one new (65536 counts off)
    //
    // Of an answer. Where the frame belongs to another request or device, its quantities are 10 kg above the true ones:
    // plausible, so that who believes it is found out.
    // byte_by_byte      one byte every `delay`
    // split             in two halves with a pause of `delay`
    // glued             followed in the same segment by another answer, of the request before
    // late              preceded by the answer of the request before, in the same segment
    // wrong_transaction
    // wrong_unit
    // short_count       one register less than asked, in a frame that is sound otherwise
    // long_count        one more
    //
    // Of connections; these take no `count` and are not of a request:
    // refuse            no connection stays or is accepted for `delay` (0: until cleared)
    // half_open         the connections of this moment stay and are not served any more; new ones are
    // one_connection    while one is open, a further one is reset
    // slow_accept       a connection is taken `delay` after it was made
    // reboot            every register 0, every connection reset, then `refuse` for `delay` (0: not at all)
    std::string kind;
    int count = 0;
    std::chrono::milliseconds delay{0};
    int slot = 1;
    int code = 4;
    int function = 0;             // only requests with this function code; 0: any
    int address = -1;             // only requests that cover this register; -1: any
};

const std::vector<std::string_view>& fault_kinds();
// Of connections and not of a request.
bool is_connection_fault(std::string_view kind);
bool is_answer_fault(std::string_view kind);

using wire_bytes = std::vector<std::uint8_t>;

// What goes onto the wire in one send, after a pause.
struct piece {
    std::chrono::milliseconds pause{0};
    wire_bytes data;
};

// `answer` is the right one, `foreign` what another request or device would have got: the same frame with other values.
std::vector<piece> spoil_answer(const plc_fault& f, wire_bytes answer, wire_bytes foreign);

}  // namespace batchbridge::sim
