--- Locks by key: one task at a time holds a key, the others wait in the order they came.

local scheduler = require "silly.internal.scheduler"
local queue = require "silly.sync.queue"
local task = require "silly.task"

---@class silly.sync.mutex
local mutex = {}
local mutex_mt = { __index = mutex, __name = "silly.sync.mutex" }

---@class silly.sync.mutex.guard
local guard = {}

--- Hands a key on to the next in line, or frees it.
local function hand_on(locks, key, lock)
	lock.holds = lock.holds - 1
	if lock.holds > 0 then
		return
	end
	local heir = lock.waiters:pop()
	if heir then
		-- Straight to the heir: whoever locks again at once queues behind those that waited.
		lock.owner, lock.holds = heir, 1
		task.wakeup(heir)
	else
		locks[key] = nil
	end
end

--- Ends one hold, if it has not ended.
local function release(hold)
	local lock = hold.lock
	if lock then
		hold.lock = nil
		hand_on(hold.locks, hold.key, lock)
	end
end

--- Gives the key back. A second time is no mistake.
function guard:unlock()
	release(self.hold)
end

local guard_mt = {
	__index = guard,
	__name = "silly.sync.mutex.guard",
	-- The end of a scope, an error, the end of the task: 5.4 and later.
	__close = guard.unlock,
	-- A guard that nobody can reach any more.
	__gc = guard.unlock,
}

local newproxy = rawget(_G, "newproxy")

local function new_guard(locks, key, lock)
	local hold = { locks = locks, key = key, lock = lock }
	local made = setmetatable({ hold = hold }, guard_mt)
	if newproxy then
		-- 5.1 and LuaJIT do not finalise tables: a userdata that only the guard knows stands in.
		made.proxy = newproxy(true)
		getmetatable(made.proxy).__gc = function()
			release(hold)
		end
	end
	return made
end

--- Waits until the current task holds the key. The task that holds it may lock it again; the key
--- is free once every guard is released.
---@async
---@param key any not nil; keys of different mutexes have nothing to do with each other
---@return silly.sync.mutex.guard guard for `guard:unlock()`, or `local g <close> = m:lock(key)`
function mutex:lock(key)
	if key == nil then
		error("mutex:lock: the key must not be nil", 2)
	end
	local current = scheduler.task("mutex:lock")
	local locks = self.locks
	local lock = locks[key]
	if not lock then
		lock = { owner = current, holds = 1, waiters = queue.new() }
		locks[key] = lock
	elseif lock.owner == current then
		lock.holds = lock.holds + 1
	else
		lock.waiters:push(current)
		task.wait() -- whoever hands the key on has made this task its owner
	end
	return new_guard(locks, key, lock)
end

local module = {}

--- A mutex of which no key is held.
---@return silly.sync.mutex
function module.new()
	return setmetatable({ locks = {} }, mutex_mt)
end

return module
