--- What the specs share: running a test's body as a task while the loop is stepped by hand, the
--- way a host does it.

local silly = require "silly"
local task = require "silly.task"

local helper = {}

--- A test that takes longer hangs.
local LIMIT = 20

--- Wraps a test's body: it runs as a task, and the loop is stepped until it has ended. Its errors
--- fail the test with their own line; a body that hangs fails with where it waits.
function helper.async(body, limit)
	return function()
		local done, failure
		local thread = task.fork(function()
			local ok, problem = xpcall(body, function(problem)
				if type(problem) == "string" then
					return debug.traceback(problem, 2)
				end
				return problem -- luassert's own, which busted prints with its diff
			end)
			done = true
			if not ok then
				failure = { problem }
			end
		end)
		local deadline = os.time() + (limit or LIMIT)
		while not done do
			silly.step(20)
			if os.time() > deadline then
				error("the test hangs: " .. debug.traceback(thread, "", 1), 0)
			end
		end
		if failure then
			error(failure[1], 0)
		end
	end
end

_G.async = helper.async

return helper
