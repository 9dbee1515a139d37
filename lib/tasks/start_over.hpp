// start-over: a person has looked at a PLC that forgot or mixed up its recipes and says that nothing of them is to be made
// any more (design section 9).
#pragma once

#include "tasks/line.hpp"

namespace batchbridge::tasks {

struct started_over {
    std::size_t reset = 0;     // without any actual: history `reset`, fetched again
    std::size_t failed = 0;    // with an actual, stored or shown by the PLC: history `failed`, alert, never fetched again
};

// WRITE slots zeroed and their flags set to 1 first, so that the PLC makes nothing more; then every batch that waits, runs,
// is lost or is being taken out is archived, by what is stored of it and by what the READ area shows a second later (a
// batch may have been dosed since the last read cycle, or from an offer that was withdrawn), and the open load is withdrawn. Held, parked and completed batches stay: they
// wait for a person or for Odoo. Asked again after a failure it goes on where it stopped. Takes line.plc_writes().
// Throws plc::error, pg::error, fenced.
boost::asio::awaitable<started_over> start_over(line& l, std::string who, std::string why);

// The setting under which start-over keeps a READ slot that shows a batch nobody will end, and its value.
std::string settled_read_slot(int slot);
std::string picture_text(const domain::words& w);

}  // namespace batchbridge::tasks
