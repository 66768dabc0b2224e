--- The ledger: what was asked, what was carried out and what came back, gathered from the books of all
--- processes (book.lua) in whatever order they are read, and what of it breaks a promise.
--
-- A question is known by its book, which is one run of one process, and its number in there. It is
-- forgotten once nothing more may be heard of it, so a ledger can follow any number of them.

local ledger = {}

--- Ways to break a promise.
local BREACHES = {
	"repeated", -- carried out twice, or returned twice
	"mismatched", -- the answer of another question, or an outcome that the other side's book belies
	"lost", -- a prompt handler's answer never came: the deadline did
	"failed", -- a reason that README does not know
	"hung", -- no return, or one long after the deadline, although whoever asked lived on
}

--- Complaints kept in words; all are counted.
local KEPT = 10

local Ledger = {}
Ledger.__index = Ledger

function ledger.new()
	local self = {
		outcomes = {}, -- returns, by outcome
		breaches = {}, -- broken promises, by kind
		complaints = {}, -- the first of them in words
		executed_count = 0, -- questions carried out
		cut = {}, -- questions that died with who asked, by book
		open = {}, -- what is known of a question, by book and number, until it is settled
		last = {}, -- the last number asked, by book
		ended = {}, -- books that were finished in order
		on_return = nil, -- called with the outcome and the remark of each return
	}
	for _, kind in ipairs(BREACHES) do
		self.breaches[kind] = 0
	end
	return setmetatable(self, Ledger)
end

local function increase(counts, key)
	counts[key] = (counts[key] or 0) + 1
end

function Ledger:complain(kind, book, number, text)
	increase(self.breaches, kind)
	if #self.complaints < KEPT then
		self.complaints[#self.complaints + 1] = ("%s: question %d.%d %s"):format(kind, book, number, text)
	end
end

--- The questions of a book that are not settled.
function Ledger:page(book)
	local page = self.open[book]
	if not page then
		page = {}
		self.open[book], self.last[book] = page, 0
	end
	return page
end

--- Looks whether a question that has returned may be forgotten. One that failed on the way may
--- still be carried out.
function Ledger:settle(page, book, number)
	local question = page[number]
	if question.outcome == "refused" then
		if question.executed then
			self:complain("mismatched", book, number, "was carried out, though nothing was to be sent")
		end
		page[number] = nil
	elseif question.outcome and question.executed then
		page[number] = nil
	end
end

--- A question is about to be asked: 1, 2, 3 ... in each book.
function Ledger:asked(book, number)
	local page = self:page(book)
	assert(number == self.last[book] + 1, "a book counts its questions one by one")
	self.last[book] = number
	page[number] = page[number] or {}
end

--- A handler was given a question. This may be read before the question is.
function Ledger:executed(book, number)
	local page = self:page(book)
	local question = page[number]
	self.executed_count = self.executed_count + 1
	if question and question.executed or not question and number <= self.last[book] then
		return self:complain("repeated", book, number, "was carried out again, or after it was refused")
	elseif not question then
		question = {}
		page[number] = question
	end
	question.executed = true
	self:settle(page, book, number)
end

--- A question's call or send has returned.
---@param outcome string see `ledger.outcome`
---@param remark string what the book says beside it
function Ledger:returned(book, number, outcome, remark)
	local page = self:page(book)
	local question = page[number]
	increase(self.outcomes, outcome)
	if not question or question.outcome then
		-- One that was settled has returned before.
		return self:complain("repeated", book, number, "returned again: " .. outcome)
	end
	local breach = outcome:match("^%a+")
	if self.breaches[breach] then
		self:complain(breach, book, number, "returned: " .. outcome)
	end
	if self.on_return then
		self.on_return(outcome, remark)
	end
	question.outcome = outcome
	self:settle(page, book, number)
end

--- A book has come to its end in order: whatever was asked in it has returned.
function Ledger:finished(book)
	self.ended[book] = true
end

--- Looks at what is still open once everything has been read.
function Ledger:close()
	for book, page in pairs(self.open) do
		for number, question in pairs(page) do
			if number > self.last[book] then
				self:complain("mismatched", book, number, "was carried out, but nobody has asked it")
			elseif question.outcome == "answered" then
				self:complain("mismatched", book, number, "was answered, but nobody has carried it out")
			elseif not question.outcome and self.ended[book] then
				self:complain("hung", book, number, "has not returned")
			elseif not question.outcome then
				increase(self.cut, book)
			end
		end
	end
end

--- Questions that died with who asked.
function Ledger:cut_count()
	local sum = 0
	for _, count in pairs(self.cut) do
		sum = sum + count
	end
	return sum
end

--- One line that names every promise broken; "" when all were kept.
function Ledger:verdict()
	return table.concat(self.complaints, "\n")
end

--- The outcome of a call or a send, in one word.
---@param question string the body that was sent
---@param answer any what came back: the body of a call's answer, true for a send
---@param why string?
---@param slow boolean? the handler may take longer than the deadline
function ledger.outcome(question, answer, why, slow)
	if answer == question then
		return "answered"
	elseif answer == true then
		return "sent"
	elseif answer ~= nil then
		return "mismatched"
	elseif why == "closed" then
		return "closed"
	elseif why == "timeout" then
		return slow and "timeout" or "lost"
	elseif why == "peer closed" or why:find("^connect ") then
		return "refused" -- README: nothing was sent
	end
	return "failed: " .. why
end

return ledger
