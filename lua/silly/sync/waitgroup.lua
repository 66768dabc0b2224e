--- Waiting for a group of tasks to end.

local core = require "silly.internal.core"
local scheduler = require "silly.internal.scheduler"
local check = require "silly.internal.check"
local line = require "silly.internal.line"
local task = require "silly.task"
require "silly.internal.interpret" (true, true)

if core.loaded.waitgroup then
	return core.loaded.waitgroup --[[@as { new: fun(): silly.sync.waitgroup }]]
end

--- A group of tasks.
---@class silly.sync.waitgroup
---@field count integer tasks that have not ended
---@field package line silly.internal.line who waits for the end
local waitgroup = {}
local mt = { __index = waitgroup, __name = "silly.sync.waitgroup" }

--- The group that each task counts for.
---@type table<thread, silly.sync.waitgroup>
local groups = setmetatable({}, { __mode = "k" })

--- One task less; with none left, everybody who waits goes on. A second try goes on from where memory
--- has failed.
local function leave(thread, group)
	if groups[thread] then
		groups[thread] = nil
		group.count = group.count - 1
	end
	if group.count <= 0 then
		repeat
			local woken = group.line:hand(true)
		until not woken
	end
end

local function member(fn)
	fn()
	local thread = scheduler.current()
	scheduler.insist(leave, thread, groups[thread])
end

scheduler.owes(groups)

-- A task that fails, which the scheduler logs, or is cancelled counts as one that has ended.
scheduler.watch(function(thread)
	local group = groups[thread]
	if group then
		scheduler.insist(leave, thread, group)
	end
end)

--- Starts a task that counts for the group until it ends, however that is.
---@param fn fun() what the task runs
---@return thread thread
function waitgroup:fork(fn)
	check.that(getmetatable(self) == mt, "waitgroup:fork", "the first argument", "a wait group, as in wg:fork(fn)", self)
	check.type("waitgroup:fork", "the first argument", fn, "function")
	local thread = task.fork(member, fn)
	local counted, problem = pcall(rawset, groups, thread, self)
	if not counted then
		task.cancel(thread)
		error(problem, 0)
	end
	self.count = self.count + 1
	return thread
end

--- Waits until every task of the group has ended, those forked meanwhile included. Any number of
--- tasks may wait, and the group may be used again afterwards.
---@async
function waitgroup:wait()
	check.that(getmetatable(self) == mt, "waitgroup:wait", "the first argument", "a wait group, as in wg:wait()", self)
	while self.count > 0 do
		self.line:wait(scheduler.task("waitgroup:wait"))
	end
end

local module = {}
core.loaded.waitgroup = module

--- A group without tasks.
---@return silly.sync.waitgroup group
function module.new()
	return setmetatable({ count = 0, line = line.new("silly.sync.waitgroup") }, mt)
end

return module
