#pragma once

namespace sallyport::keys {

// Space that is held back on the disks for what must not fail when they are full: deleting needs room, too.
class Reserve {
 public:
  virtual ~Reserve() = default;
  // A write failed. true: a disk is full, and what was held back on it is free now.
  virtual bool release() = 0;
  // Writes work: holds back again what was released, where there is room.
  virtual void refill() = 0;
};

}  // namespace sallyport::keys
