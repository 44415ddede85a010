#pragma once

namespace sallyport::platform {

// Gives the memory that the allocator keeps for later back to the system, when there is much of it. Takes a few
// milliseconds then, of the calling thread alone.
void give_back_heap();

}  // namespace sallyport::platform
