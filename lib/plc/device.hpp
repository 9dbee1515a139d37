// One PLC as the tasks see it: slots, loads and handshakes in domain types. Owns the only connection to the device.
// Every call is bounded (PLC_TIMEOUT per request) and throws plc::error; after an error the connection is closed and the
// next call opens a new one, at the pace of a capped, jittered back-off (calls in between fail at once: unavailable).
// Exception answers keep the connection. Codes 10 and 11 (a gateway without a way to the PLC, or without its answer) are
// `unavailable`: the PLC is away though its gateway is not. Codes 5 and 6 (accepted, busy): a read is repeated for up to
// PLC_TIMEOUT and then `unavailable`; a write is `rejected` at once and not repeated here, as one of code 5 may be executed
// yet: what it did is looked at by whoever tries again. All others are `rejected`: about the registers that were asked for.
#pragma once

#include "core/error.hpp"
#include "domain/batch.hpp"
#include "domain/plant_map.hpp"
#include "domain/slot.hpp"
#include "domain/slot_read.hpp"

#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace batchbridge::plc {

class error : public core::error {
    using core::error::error;
};

enum class area { read, write };

// A slot as observed under the consistency rule.
struct observation {
    enum class kind { unchanged, accepted, inconsistent } what = kind::unchanged;
    domain::words image;       // accepted: the picture that counts
};

// What became of the acknowledgement of a failure.
struct failure_answer {
    enum class kind {
        kept,          // the flag reads 1 and the block shows that failure
        not_kept,      // it was written, and does not read 1
        moved_on,      // the block showed something else, or was not new any more: nothing was written
        overwritten    // it was written, and afterwards the block shows something else: that may have been acknowledged unseen
    } what = kind::not_kept;
    domain::words image;       // the whole block as it reads now
};

class device {
public:
    virtual ~device() = default;

    // Asked on the PLC thread right before each write request; false makes the write fail (cancelled, "lease lost").
    // Must be thread-safe. Default: always true.
    using write_permission = std::function<bool()>;

    virtual const std::string& name() const = 0;      // "plc 10.0.0.5:502 unit 1"
    virtual bool connected() const = 0;
    // Number of connections made so far, without those that followed our own closing (end_cycle) at once: a change tells that
    // registers may have been lost meanwhile.
    virtual unsigned connections() const = 0;
    // Answers so far that did not fit their request; none of their values was used.
    virtual std::uint64_t wrong_answers() const { return 0; }
    // Requests answered so far, exception answers among them.
    virtual std::uint64_t answers() const { return 0; }
    // Every request that got no answer has been answered since, or was not made again for two minutes.
    virtual bool settled() { return true; }

    // Opens the connection if there is none (probe, start).
    virtual boost::asio::awaitable<void> connect() = 0;
    // All words of one slot, in one request if map.limits.max_read allows. Else in several, cut only between values, with the
    // order's name and the status words read around the rest (domain::read_plan says what that guarantees: one order, and
    // an ended picture has final figures only). Is it not so, the read is tried anew; after three tries it is an error of
    // kind rejected, since it is about this slot and not about the link. Quantities of one picture may then be of different
    // instants, as far apart as the requests; observe() compares two pictures on top of that.
    // A PLC that refuses the read as a whole (exception 2 or 3) is asked once, ever, in parts of 32; when it answers those and
    // refuses the whole again, it stays so, and the log says it.
    virtual boost::asio::awaitable<domain::words> read_slot(area a, int slot) = 0;
    virtual boost::asio::awaitable<std::vector<domain::words>> read_all(area a) = 0;
    // Reads a READ slot under the consistency rule against `stored` (may be empty): one request when equal, else up to
    // three pairs.
    virtual boost::asio::awaitable<observation> observe(int slot, const domain::words& stored) = 0;
    // Any registers, for the engineer's commands; in several requests when map.limits.max_read asks for it, not guarded.
    virtual boost::asio::awaitable<domain::words> read_registers(int /*address*/, int /*count*/) { co_return domain::words(); }
    // The ready word (handshake.write_ready): 1 = the PLC has taken the recipes.
    virtual boost::asio::awaitable<std::uint16_t> read_ready() = 0;

    // The load's steps. Images are complete slots as encode_recipe makes them, index 0 = slot 1.
    // (1) and (2): blank slot 1's mo_id, write every slot, slot 1 with its mo_id blank and status_read_data left alone.
    virtual boost::asio::awaitable<void> write_disarmed(const std::vector<domain::words>& images) = 0;
    // (3): reads back and compares; returns the differences, empty = verified.
    virtual boost::asio::awaitable<std::vector<std::string>> verify(const std::vector<domain::words>& images) = 0;
    // (4): one FC16 of slot 1, mo_id filled in, status_read_data = 0.
    virtual boost::asio::awaitable<void> arm(const domain::words& slot1) = 0;

    // Blanks the mo_id of a WRITE slot and reads it back.
    virtual boost::asio::awaitable<void> disarm(int slot) = 0;
    // status_read_data = 1 in a READ slot, read back; returns whether it reads 1.
    virtual boost::asio::awaitable<bool> acknowledge(int slot) = 0;

    // start-over: every WRITE slot zeroed, slot 1's name first, then every slot's status_read_data set to 1, slot 1's last.
    virtual boost::asio::awaitable<void> clear_recipes() = 0;

    // The failure block, flag included (domain::failure_words). One request when it is equal to `stored`, which may be empty;
    // else it is believed only when two reads in a row are equal, of up to three pairs: the PLC may be writing it.
    virtual boost::asio::awaitable<observation> observe_failure(const domain::words& stored) = 0;
    // Sets the flag to 1 (FC06) and reads back. Only if the block, read right before, still shows the failure of `image` as
    // new: what nobody has stored is never acknowledged.
    virtual boost::asio::awaitable<failure_answer> acknowledge_failure(const domain::words& image) = 0;

    // After a read cycle: closes the connection if the map's quirk close_after_cycle asks for it.
    virtual boost::asio::awaitable<void> end_cycle() { co_return; }
    // From any thread: ends the call in progress and those that wait (cancelled), and closes. Later calls connect anew.
    virtual void interrupt() noexcept = 0;
};

}  // namespace batchbridge::plc
