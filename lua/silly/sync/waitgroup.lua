--- Waiting for a group of tasks to end.

local scheduler = require "silly.internal.scheduler"
local check = require "silly.internal.check"
local task = require "silly.task"

---@class silly.sync.waitgroup
---@field count integer tasks that have not ended
local waitgroup = {}
local mt = { __index = waitgroup, __name = "silly.sync.waitgroup" }

--- The group that each task counts for.
---@type table<thread, silly.sync.waitgroup>
local groups = setmetatable({}, { __mode = "k" })

--- One task less; with none left, everybody who waits goes on.
local function done(group)
	group.count = group.count - 1
	if group.count <= 0 then
		local waiters = group.waiters
		group.waiters = {}
		for index = 1, #waiters do
			task.wakeup(waiters[index])
		end
	end
end

local function leave()
	local thread = scheduler.current
	local group = groups[thread]
	groups[thread] = nil
	done(group)
end

local function member(fn)
	fn()
	leave()
end

-- A task that ends by an error, which the scheduler logs, counts as one that has ended.
scheduler.watch(function(thread)
	local group = groups[thread]
	if group then
		groups[thread] = nil
		done(group)
	end
end)

--- Starts a task that counts for the group.
---@param fn fun()
---@return thread
function waitgroup:fork(fn)
	check.type("waitgroup:fork", "the first argument", fn, "function")
	self.count = self.count + 1
	local thread = task.fork(member, fn)
	groups[thread] = self
	return thread
end

--- Waits until every task of the group has ended, those forked meanwhile included. Any number of
--- tasks may wait, and the group may be used again afterwards.
---@async
function waitgroup:wait()
	while self.count > 0 do
		local current = scheduler.task("waitgroup:wait")
		self.waiters[#self.waiters + 1] = current
		task.wait()
	end
end

local module = {}

--- A group without tasks.
---@return silly.sync.waitgroup
function module.new()
	return setmetatable({ count = 0, waiters = {} }, mt)
end

return module
