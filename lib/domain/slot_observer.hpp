// The consistency rule over the reads of one READ slot in one cycle (design section 4, Read; L-31): which of them is the
// picture that counts. Pure: fed with images, says whether another is needed. Not for what a picture means.
//
// Two equal reads are a picture. A read that has only advanced from the one before is one too once the next read is equal to
// it or has only advanced from it. Without that third read a quantity that the PLC writes in one jump of some 655 kg, caught
// with its old high word, would look like a small step. What the PLC leaves half written for several reads, because its scan
// stands still, no rule of reading can tell from the truth.
#pragma once

#include "domain/plant_map.hpp"
#include "domain/slot_read.hpp"

namespace batchbridge::domain {

class slot_observer {
public:
    // `stored`: the picture accepted last, may be empty. Both outlive the observer.
    slot_observer(const plant_map& map, const words& stored) noexcept : map_(map), stored_(stored) {}

    enum class step {
        again,           // read the slot once more
        unchanged,       // the first read was the stored picture
        accepted,        // image() counts
        inconsistent     // three tries, and none was good: the old picture stays
    };
    // The words of one more read. Not to be called after another answer than `again`.
    step add(words image);
    // Valid after unchanged and accepted.
    const words& image() const noexcept { return picture_; }

private:
    const plant_map& map_;
    const words& stored_;
    words last_, picture_;
    bool advanced_ = false;
    int reads_ = 0;
};

}  // namespace batchbridge::domain
