--- Tasks that stand in line: each waits until it is handed something, in the order they came. What
--- mutexes, channels and wait groups share.
--
-- A task may end while it stands here, or after it was handed something and before it could take
-- it. The first is passed over, and in the second case the thing goes back to where it came from.

local core = require "silly.internal.core"
local scheduler = require "silly.internal.scheduler"
local queue = require "silly.internal.queue"
local task = require "silly.task"
require "silly.internal.interpret" (true, true)

if core.loaded.line then
	return core.loaded.line --[[@as silly.internal.line]]
end

local co_status, max = coroutine.status, math.max
local status = scheduler.status

---@class silly.internal.line
---@field package name string whose it is, for task.inspect
---@field package owner any
---@field package take_back (fun(owner: any, value: any))? gets what was handed to a task that then ended
---@field package tasks silly.internal.queue those who wait, oldest first, and perhaps some that have ended
---@field package ended integer how many are known to have ended
---@field package limit integer at this length the others are looked for
local line = {}
line.__index = line
core.loaded.line = line

--- Lines shorter than this are not searched for tasks that ended unseen.
local SHORT = 16

--- The line each waiting task stands in. Weak both ways: on 5.1 and LuaJIT a line would keep its
--- tasks alive through here, and a task that waits keeps its line.
---@type table<thread, silly.internal.line>
local places = setmetatable({}, { __mode = "kv" })

--- What each task was handed and has not taken yet.
---@type table<thread, any>
local handed = setmetatable({}, { __mode = "k" })

--- An empty line.
---@param name string whose it is, for task.inspect
---@param owner any
---@param take_back? fun(owner: any, value: any) gets what was handed to a task that then ended
---@return silly.internal.line
function line.new(name, owner, take_back)
	return setmetatable({
		name = name,
		owner = owner,
		take_back = take_back,
		tasks = queue.new(),
		ended = 0,
		limit = SHORT,
	}, line)
end

--- Whether a task of this line still waits. Asking for the coroutine's state may run a finaliser,
--- which may change the rest: so that comes first.
local function stands(self, thread)
	return co_status(thread) == "suspended"
		and status[thread] ~= nil and places[thread] == self and handed[thread] == nil
end

--- Forgets the tasks that have ended.
local function sweep(self)
	self.tasks:retain(function(thread)
		return stands(self, thread)
	end)
	self.ended = 0
end

--- The task whose turn it is, or nil.
---@return thread?
function line:first()
	local tasks = self.tasks
	local thread = tasks:first_value()
	while thread and not stands(self, thread) do
		tasks:pop()
		self.ended = max(self.ended - 1, 0)
		thread = tasks:first_value()
	end
	return thread
end

--- Hands something to the first in line, who takes it when its turn has come.
---@param value any not nil
---@return thread? heir nil when nobody waits
function line:hand(value)
	local heir = self:first()
	if heir then
		-- Where memory fails in between, the heir looks in vain and still stands here.
		if status[heir] == "WAIT" then
			scheduler.ready(heir)
		end
		handed[heir] = value
		self.tasks:pop()
	end
	return heir
end

--- How many stand here, those included that have ended unseen.
---@return integer
function line:len()
	return self.tasks:len()
end

--- Parks the current task until it is handed something. A task.wakeup from elsewhere only makes it
--- look again.
---@async
---@param current thread from scheduler.task
---@return any value
function line:wait(current)
	local tasks = self.tasks
	if tasks:len() >= self.limit then
		-- Scripts may have closed coroutines by themselves, of which nobody is told.
		sweep(self)
		self.limit = max(SHORT, 2 * tasks:len())
	end
	tasks:push(current)
	places[current] = self
	local value
	repeat
		task.wait()
		value = handed[current]
	until value ~= nil
	places[current], handed[current] = nil, nil
	return value
end

scheduler.watch(function(thread)
	local self, value = places[thread], handed[thread]
	if not self then
		return
	end
	places[thread], handed[thread] = nil, nil
	if value == nil then
		-- It is not searched for: any number of cancelled tasks costs a constant each.
		self.ended = self.ended + 1
		if self.ended * 2 > self.tasks:len() then
			sweep(self)
		end
	elseif self.take_back then
		self.take_back(self.owner, value)
	end
end)

scheduler.explain(function(thread)
	return places[thread] and places[thread].name
end)

return line
