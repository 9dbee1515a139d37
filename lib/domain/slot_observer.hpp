// The consistency rule over the reads of one READ slot in one cycle (design section 4, Read; L-31): which of them is the
// picture that counts. Pure: fed with images, says whether another is needed. Not for what a picture means.
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
        accepted,        // two reads agree: image() counts
        inconsistent     // three tries, and no two reads in a row agreed: the old picture stays
    };
    // The words of one more read. Not to be called after another answer than `again`.
    step add(words image);
    // Valid after unchanged and accepted.
    const words& image() const noexcept { return last_; }

private:
    const plant_map& map_;
    const words& stored_;
    words last_;
    int reads_ = 0;
};

}  // namespace batchbridge::domain
