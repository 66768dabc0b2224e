--- What the specs share: a test's body runs as a task while the loop is stepped by hand, the way a
--- host does it.

local testing = require "silly.testing"

local helper = {}

--- A test that takes longer hangs.
local LIMIT = 20

--- Wraps a test's body as silly.testing does. What it opens stays open, for the specs to close it
--- themselves: what a close does is among what they test.
function helper.async(body, limit)
	return testing.task(body, { limit = (limit or LIMIT) * 1000, keep = true })
end

_G.async = helper.async

return helper
