--- Asks a peer one question and notes in a book what it was and what became of it, and when.

local socket = require "socket"
local cluster = require "silly.net.cluster"
local ledger = require "spec.support.ledger"

local asker = {}

--- A return later than this after its deadline is none, in milliseconds.
local SLACK = 1000

--- The deadline where none is given: the default of cluster.serve.
local PATIENCE = 5000

local function ask(request, pages, peer, cmd, padding, limit)
	local number, id = pages:ask()
	local question, began = id .. padding, socket.gettime()
	local answer, why = request(peer, cmd, question, limit)
	local ended = socket.gettime()
	local outcome = ledger.outcome(question, answer, why, limit ~= nil)
	if (ended - began) * 1000 > (limit or PATIENCE) + SLACK then
		outcome = "hung"
	end
	pages:returned(number, outcome, ("%.6f %.6f"):format(began, ended))
	return outcome
end

--- Calls. The outcome, in one word.
---@param pages table the book
---@param padding string what the question's body has beyond its id
---@param limit integer? milliseconds, for a handler that may take longer
function asker.call(pages, peer, cmd, padding, limit)
	return ask(cluster.call, pages, peer, cmd, padding, limit)
end

--- Sends.
function asker.send(pages, peer, cmd, padding)
	return ask(cluster.send, pages, peer, cmd, padding)
end

return asker
